-- change_schedule: pause, resume or delete a schedule.
-- needs: core
--
-- ARGV   now, id, 'pause' | 'resume' | 'delete'
-- Reply  0 if it does not exist, else 1

open(false)
local id, change = args[2], args[3]
local key = prefix .. 'schedule:' .. id

if call('HEXISTS', key, 'spec') == 0 then
  return 0
elseif change == 'pause' then
  call('HSET', key, 'paused', 1)
elseif change == 'resume' then
  call('HDEL', key, 'paused')
else
  call('DEL', key)
  call('SREM', prefix .. 'schedules', id)
end
return 1
