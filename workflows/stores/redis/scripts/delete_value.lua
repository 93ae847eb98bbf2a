-- delete_value: remove a value; of many callers one gets it.
-- needs: core value
--
-- ARGV   now, space, key
-- Reply  the value that was there, or nil

local now = open(false)
local space, key = args[2], args[3]
local value = not is_past(space, key, now) and call('HGET', values_key(space), key)

delete_value(space, key)
return value
