"""Relations between columns: faults that are ordinary values in their column, and wrong beside the others.

Each kind is a made table with one known relation, in which a fault breaks a single cell of a row, or a table without
any fault. Of each kind and seed, each detector is fitted twice (once where there is no fault):

clean   on 3,000 sound rows; 1 % of them are flagged. A few kinds have some of their faults in these rows too
dirty   on the same rows with a fault in 1 % of them; 2 % of them are flagged

Four shares come out:

found    of 200 new rows with a fault, those that are flagged
named    of these, those whose first reason is the broken column
related  of these, those whose first reason is the broken column or one that belongs to the relation: where y is not
         2x, either may be the wrong one
clean    of 4,000 new rows without a fault, those that are flagged: the price of the others
"""
