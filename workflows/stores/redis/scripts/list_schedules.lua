-- list_schedules: all schedules.
-- needs: core look
--
-- ARGV   now
-- Reply  {id, {field, value, ...}} per schedule

look()
local schedules = {}
for _, id in ipairs(call('SMEMBERS', prefix .. 'schedules')) do
  schedules[#schedules + 1] = { id, call('HGETALL', prefix .. 'schedule:' .. id) }
end
return schedules
