"""Static search indices over the tables of an atlas."""
