-- drop: jobs that the engine owns leave no record of their end.
-- needs: core batch leave run activity

-- A pending one expired.
function runs.expire(id, queue, dedup, kind, now)
  local token = call('HGET', job_key(id), 'token')
  runs.drop({ id = id, queue = queue, dedup = dedup, kind = kind, token = token }, now)
end

-- It ended: no record stays.
function runs.drop(job, now)
  if job.token == '' then
    remember(prefix .. 'ended:' .. job.id, '', now, REQUEST_MEMORY_MS)
  elseif job.token then
    remember_done(job.token, job.id)
  end
  release_dedup(job.id, job.queue, job.dedup)
  local run = call('HGET', job_key(job.id), 'run')
  call('DEL', job_key(job.id))
  if job.kind == 'q' then
    call('SREM', prefix .. 'queries:' .. run, job.id)
  elseif run then
    zrem(runs.activities_key(run), job.id)
    zrem(prefix .. 'overdue', 'a' .. job.id)
  end
end
