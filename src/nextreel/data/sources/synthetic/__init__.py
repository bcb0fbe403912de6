"""The steps of the process that `nextreel sample` draws its data from, one file each."""
