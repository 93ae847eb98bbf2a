-- increment: add to a counter.
-- needs: core once value
--
-- ARGV   now, space, key, amount (as digits: exact to 64 bits), call
-- Reply  its digits; nil if the value is not a counter

local now = open(true)
local space, key, amount, call_id = unpack(args, 2, 5)
local before = answered(call_id, now)
if before then
  return before[1]
end
local old = call('HGET', values_key(space), key)

if old and is_past(space, key, now) then
  delete_value(space, key)
elseif old and not old:match('^-?%d+$') then
  return false
end
call('HINCRBY', values_key(space), key, amount)
return answer(call_id, call('HGET', values_key(space), key), now)
