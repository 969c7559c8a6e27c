-- handover_floor - what was asked of the handover and has no answer yet; 0: nothing. On the
-- destination.
SELECT CASE WHEN a.is_called AND a.last_value > d.last_value
THEN a.last_value ELSE 0 END FROM bucardo_machine.handover_asked a,
bucardo_machine.handover_answered d
