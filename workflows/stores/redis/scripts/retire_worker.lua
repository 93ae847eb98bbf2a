-- retire_worker: forget a process.
-- needs: core
--
-- ARGV   now, owner
-- Reply  1

open(false)
call('HDEL', prefix .. 'workers', args[2])
call('HDEL', prefix .. 'worker_types', args[2])
call('ZREM', prefix .. 'seen', args[2])
return 1
