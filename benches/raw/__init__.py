"""Trust on raw tables: planted faults that are found, faulty columns that are named, and clean rows that are flagged.

Of each table and seed, at most 12,000 rows are drawn, 70 % to fit on and 30 % to test. Each detector is fitted twice:

clean   on the training rows as they are; 1 % of them are flagged
dirty   on training rows of which 1 % carry a fault, and one more for each column of numbers has an absurd value;
        2 % of them are flagged

Then each fault of `faults.py` is planted into one column at a time, in forty test rows. It is found in a row if the row
is flagged. The share of the test rows that is flagged without a fault is the price of that.

A mean over columns and seeds is taken first, for each table and fault; then over tables or faults, so that a table with
many columns counts no more than one with few.
"""
