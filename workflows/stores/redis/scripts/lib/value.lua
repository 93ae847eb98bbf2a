-- value: small values by space and key. Some have a deadline, some belong to a lease.
-- needs: core
--
-- values:<space>     key to value
-- deadlines:<space>  key to when it is gone
-- owners:<space>     key to the lease that it belongs to (a lock)

-- The name of a lease where its job's record may be gone or leased to somebody else.
local function lease_name(id, token)
  return pair(token, id)
end

local function values_key(space)
  return prefix .. 'values:' .. space
end

local function deadlines_key(space)
  return prefix .. 'deadlines:' .. space
end

local function owners_key(space)
  return prefix .. 'owners:' .. space
end

local function is_past(space, key, now)
  local deadline = call('ZSCORE', deadlines_key(space), key)
  return deadline and tonumber(deadline) <= now
end

local function delete_value(space, key)
  call('ZREM', deadlines_key(space), key)
  call('HDEL', owners_key(space), key)
  return call('HDEL', values_key(space), key)
end

local function put_value(space, key, value, ttl_ms, now)
  call('HSET', values_key(space), key, value)
  call('HDEL', owners_key(space), key)
  if ttl_ms then
    call('ZADD', deadlines_key(space), now + ttl_ms, key)
    call('SADD', prefix .. 'spaces', space)
  else
    call('ZREM', deadlines_key(space), key)
  end
end

-- Delete values past their deadline; at most `limit`.
local function drop_past(space, now, limit)
  local due = call('ZRANGEBYSCORE', deadlines_key(space), '-inf', now, 'LIMIT', 0, limit)
  for _, key in ipairs(due) do
    delete_value(space, key)
  end
end

-- The locks of a lease go with it, unless somebody else set them since.
local function release_locks(name)
  local key = prefix .. 'locks:' .. name
  for _, lock in ipairs(call('SMEMBERS', key)) do
    local size, names = lock:match('^(%d+):(.*)$')
    local space, value = names:sub(1, size), names:sub(size + 2)
    if call('HGET', owners_key(space), value) == name then
      delete_value(space, value)
    end
  end
  call('DEL', key)
end
