-- put_value: set a value; or only if there is none, for as long as a lease holds.
-- needs: core once batch job leave value lease
--
-- ARGV   now, space, key, value, ttl_ms or nil, call if only where there is none, job id
--        and token or nil
-- Reply  1 if it was set, else 0

local space, key, value, ttl_ms, call_id, id, token = unpack(args, 2, 8)
local now = open(not id)
local before = call_id and answered(call_id, now)
if before then
  return before[1]
end

if call_id and call('HEXISTS', values_key(space), key) == 1 and not is_past(space, key, now) then
  return 0
end
local name = id and lease_name(id, token)
if id then
  local state, held = unpack(call('HMGET', job_key(id), 'state', 'token'))
  if state == 'active' and held == token then
    call('HSET', job_key(id), 'locked', token)
  elseif not lingering(name) then
    return 0
  end
end
put_value(space, key, value, ttl_ms, now)
notify('watch:value:' .. pair(space, key))
if id then
  call('SADD', prefix .. 'locks:' .. name, pair(space, key))
  call('HSET', owners_key(space), key, name)
end
return call_id and answer(call_id, 1, now) or 1
