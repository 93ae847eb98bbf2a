-- get_job: one job.
-- needs: core look
--
-- ARGV   now, id
-- Reply  {field, value, ...} (empty: no such job), lease end or nil

look()
local fields = call('HGETALL', job_key(args[2]))
local queue = call('HGET', job_key(args[2]), 'queue')
local lease_end = queue and call('ZSCORE', state_key('active', queue), args[2])
return { fields, lease_end }
