"""Files that lie: valid ones of every format, changed at random, and whatever reads files must survive them."""
