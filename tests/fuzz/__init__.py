"""Files that lie: valid ones of every format, changed at random, which all that reads must survive."""
