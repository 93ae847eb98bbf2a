-- drop: jobs that the engine owns leave no record of their end.
-- needs: core batch leave run activity

-- Remember that an activity was settled while it was pending, with an empty token.
function runs.remember_seized(id, now)
  remember(prefix .. 'seized:' .. id, '', now, REQUEST_MEMORY_MS)
end

-- One that is pending, and out of its sets, goes.
function runs.remove(id, kind, now)
  local token = call('HGET', job_key(id), 'token')
  runs.drop({ id = id, kind = kind, token = token }, now)
end

-- It ended: no record stays.
function runs.drop(job, now)
  if job.token == '' then
    runs.remember_seized(job.id, now)
  end
  local token = job.settled or job.token ~= '' and job.token
  if token then
    remember_done(token, job.id)
  end
  local run = call('HGET', job_key(job.id), 'run')
  call('DEL', job_key(job.id))
  if job.kind == 'q' then
    call('SREM', prefix .. 'queries:' .. run, job.id)
  elseif run then
    zrem(runs.activities_key(run), job.id)
    zrem(prefix .. 'overdue', 'a' .. job.id)
  end
end
