-- get_values: those values that exist; all of the space without keys.
-- needs: core value
--
-- ARGV   now, space, keys or nil
-- Reply  key, value, ... (flat)

local now = open(false)
local space, keys = args[2], args[3] or call('HKEYS', values_key(args[2]))
local found = {}

for _, key in ipairs(keys) do
  local value = call('HGET', values_key(space), key)
  if value and not is_past(space, key, now) then
    found[#found + 1] = key
    found[#found + 1] = value
  end
end
return found
