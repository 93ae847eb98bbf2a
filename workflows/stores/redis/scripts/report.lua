-- report: keep what a plain job says while its lease holds.
-- needs: core once
--
-- ARGV   now, job id, token, progress or nil, checkpoint or nil, payload or nil, lines, call
-- Reply  whether the lease holds, 1 or 0
--
-- log:<id>  a job's newest lines, each "<when> <text>"; `logged` of the job counts all

local MAX_LOG = 1000

local now = open(false)
local id, token, progress, checkpoint, payload, lines, call_id = unpack(args, 2, 8)
local state, held, kind, logged =
  unpack(call('HMGET', job_key(id), 'state', 'token', 'kind', 'logged'))

local before = answered(call_id, now)
if before then
  return before[1]
elseif state ~= 'active' or held ~= token or kind then
  return 0
end
local fields = {}
for name, value in pairs({ progress = progress, checkpoint = checkpoint, payload = payload }) do
  fields[#fields + 1], fields[#fields + 2] = name, value
end
if #lines > 0 then
  for i, line in ipairs(lines) do
    lines[i] = now .. ' ' .. line
  end
  call('RPUSH', prefix .. 'log:' .. id, unpack(lines))
  call('LTRIM', prefix .. 'log:' .. id, -MAX_LOG, -1)
  fields[#fields + 1], fields[#fields + 2] = 'logged', (tonumber(logged) or 0) + #lines
end
if #fields > 0 then
  call('HSET', job_key(id), unpack(fields))
end
return answer(call_id, 1, now)
