-- series: the minutes of a queue that have counts.
-- needs: core look
--
-- ARGV   now, queue, first minute
-- Reply  {minute, {name, count, ...}} per minute, oldest first, at most MAX_STEP

look()
local queue, since = args[2], args[3]
local index = prefix .. 'minutes:' .. queue
local minutes = {}

for _, minute in ipairs(call('ZRANGEBYSCORE', index, since, '+inf', 'LIMIT', 0, MAX_STEP)) do
  local counts = call('HGETALL', prefix .. 'minute:' .. minute .. ':' .. queue)
  minutes[#minutes + 1] = { minute, counts }
end
return minutes
