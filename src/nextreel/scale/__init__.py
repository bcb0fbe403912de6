"""Past one machine: the same jobs on a Ray cluster, with the same results; and what both ways of running them share."""
