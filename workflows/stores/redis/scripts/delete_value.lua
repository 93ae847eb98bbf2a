-- delete_value: remove a value; of many callers one gets it.
-- needs: core once value
--
-- ARGV   now, space, key, call
-- Reply  the value that was there, or nil

local now = open(false)
local space, key, call_id = unpack(args, 2, 4)
local before = answered(call_id, now)
if before then
  return before[1]
end
local value = not is_past(space, key, now) and call('HGET', values_key(space), key)

delete_value(space, key)
return value and answer(call_id, value, now)
