-- increment: add to a counter.
-- needs: core value
--
-- ARGV   now, space, key, amount (as digits: exact to 64 bits)
-- Reply  its digits; nil if the value is not a counter

local now = open(true)
local space, key, amount = args[2], args[3], args[4]
local old = call('HGET', values_key(space), key)

if old and is_past(space, key, now) then
  delete_value(space, key)
elseif old and not old:match('^-?%d+$') then
  return false
end
call('HINCRBY', values_key(space), key, amount)
return call('HGET', values_key(space), key)
