"""What other engines cost beside Polars."""
