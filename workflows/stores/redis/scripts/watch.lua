-- watch: be told when something of a name changes.
-- needs: core
--
-- ARGV   now, name ('run:<run>', 'end:<run>' or 'value:<space and key>'), the list to
--        tell it in, the run whose status and number of events to reply (or none)
-- Reply  {status, number of events} of that run; else 1
--
-- Who waits says so again at least every WATCH_MS; `watched` says that anybody does.

local WATCH_MS = 5000

open(false)
call('SET', prefix .. 'watched', 1, 'PX', WATCH_MS)
call('SADD', prefix .. 'watch:' .. args[2], args[3])
call('PEXPIRE', prefix .. 'watch:' .. args[2], WATCH_MS)
if args[4] == nil then
  return 1
end
return { call('HGET', prefix .. 'run:' .. args[4], 'status'),
  call('LLEN', prefix .. 'events:' .. args[4]) }
