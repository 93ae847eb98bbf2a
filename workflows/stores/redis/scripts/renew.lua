-- renew: extend the leases that still hold.
-- needs: core batch job leave value lease
--
-- ARGV   now, leases {job id, token}, lease_ms
-- Reply  {now, ids that are lost, ids that somebody asks to cancel}

local now = open(false)
local leases, lease_ms = args[2], args[3]
local lost, cancels = {}, {}

for _, lease in ipairs(leases) do
  local id, token = lease[1], lease[2]
  local state, held, queue, cancel, length, extended, kind = unpack(call('HMGET', job_key(id),
    'state', 'token', 'queue', 'cancel', 'lease', 'extended', 'kind'))
  if kind == 'd' then
    held = nil -- it is detached: nobody renews it
  end
  local name = lease_name(id, token)
  if state == 'active' and held == token then
    if (tonumber(length) or DEFAULT_LEASE_MS) ~= lease_ms then
      call('HSET', job_key(id), 'lease', lease_ms)
    end
    if extended then
      call('HDEL', job_key(id), 'extended')
    end
    if cancel then
      cancels[#cancels + 1] = id
    end
    zadd(state_key('active', queue), now + lease_ms, id)
  else
    local place = lingering(name)
    if place then
      call('HSET', prefix .. 'lingerers', name, pair(tostring(lease_ms), place))
      zadd(prefix .. 'lingering:' .. place, now + lease_ms, name)
      call('HDEL', prefix .. 'lingering_extended', name)
    else
      lost[#lost + 1] = id
    end
  end
end
flush(now)
return { now, lost, cancels }
