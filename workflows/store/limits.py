"""Numbers of the contract that every adapter keeps."""

REQUEST_MEMORY_MS = 15 * 60 * 1000  # request ids are remembered at least so long
MAX_STEP = 1000  # records that one bounded step touches at most
MAX_DUE = 250  # jobs and timers that one step moves: each makes records elsewhere
MAX_RELEASES = 10  # started releases after which the next one counts as a stall
MAX_LOG = 1000  # log lines kept per job; older ones are dropped first
MAX_LOG_LINE = 8 * 1024  # bytes of one
MAX_HISTORY = 100  # attempts kept per job; older ones are dropped first
UNTIL_CLOSED = 2**31  # a length that no run has: such a wait ends with the run
