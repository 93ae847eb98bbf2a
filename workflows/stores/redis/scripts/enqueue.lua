-- enqueue: accept jobs, all or none.
-- needs: core batch job accept
-- runs: run activity leave pend value duplicate
--
-- ARGV   now, request id, jobs (see lib/accept.lua)
-- Reply  {} if every job was created; else a flat list of (status, id) per job; or why
--        it is refused
--
-- What a repeat needs is kept as cheaply as possible: a batch that was created as a
-- whole is known by its first job; any other answer is kept under its request id.

local now = open(true)
local request, jobs = args[2], args[3]

local known = recall(prefix .. 'request:' .. request, now)
if known then
  return known == '' and {} or cmsgpack.unpack(known)
end
local taken = any_exists(jobs)
if taken and call('HGET', job_key(jobs[1][1]), 'request') == request then
  return {}
end

for _, job in ipairs(jobs) do
  if job[14] and call('EXISTS', prefix .. 'run:' .. job[14]) == 0 then
    return "job '" .. job[1] .. "' is of run '" .. job[14] .. "', which does not exist"
  end
end
local by_rule = false
for _, job in ipairs(jobs) do
  by_rule = by_rule or job[16]
end
local answers, whole
if by_rule then
  answers = engine().accept_each(jobs, now)
else
  local created
  answers, created = plan(jobs, taken, now)
  whole = created == #jobs
  accept(jobs, answers, created, now, whole and request)
end
flush(now)
if not whole then
  remember(prefix .. 'request:' .. request, cmsgpack.pack(answers), now, REQUEST_MEMORY_MS)
end
return whole and {} or answers
