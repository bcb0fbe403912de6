"""Commands that are killed, whose writes fail, or whose machine loses power: what is found afterwards?

commands       the commands that write, each with the state before it and a way to read the state
tracing        runs a command under strace, which may fail or kill it at one of its calls
faults         a run for each writing call of a command and each fault
disk_model     files and names, as a disk may hold them when some of the writes have reached it
recording      the calls of a run as writes to that disk
power_loss     the disks that a loss of power may leave, and what is read from each
"""
