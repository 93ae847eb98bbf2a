-- show: runs as they are replied.
-- needs: core
--
-- {run, {field, value, ...}, number of events, number of inbox entries, info or nil}

local function show_run(id)
  return { id, call('HGETALL', prefix .. 'run:' .. id), call('LLEN', prefix .. 'events:' .. id),
    call('LLEN', prefix .. 'inbox:' .. id), call('GET', prefix .. 'info:' .. id) }
end

-- A job with its lease end, if it has one: {job, {field, value, ...}, lease end or nil}
local function show_job(id)
  local queue = call('HGET', job_key(id), 'queue')
  return { id, call('HGETALL', job_key(id)),
    queue and call('ZSCORE', state_key('active', queue), id) }
end
