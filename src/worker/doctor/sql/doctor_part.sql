-- doctor_part - whether this side is live or follows ($1): a setting that the other questions read.
SELECT set_config('bucardo_machine.part', $1, false)
