import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraIncidentLog } from '../adapters/cassandra/incident-log.ts'
import { CassandraLookUps } from '../adapters/cassandra/look-ups.ts'
import { CassandraRotationLog } from '../adapters/cassandra/rotation-log.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { windowPolicyOf } from '../keys/window-policy.ts'
import type { Declaration } from '../response/incident.ts'
import { type IncidentPlan, planIncident } from '../response/incident-plan.ts'
import type { StepPace } from '../response/step-work.ts'
import { withRewrap } from './rewrap.ts'
import { cassandraOptionsOf } from './service-options.ts'

/** Runs `work` with what plans incidents of a configuration, and ends the connections afterwards. */
export async function withIncidentPlan<T>(
  config: Config,
  pace: StepPace,
  usdPer10kKmsCalls: number,
  work: (make: (declaration: Declaration) => Promise<IncidentPlan>) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  const { soft } = windowPolicyOf(config.window, config.exposure)
  const prices = {
    ...{ ...pace, usdPer10kKmsCalls, segmentMs: config.segment.ageMs },
    ...{ windowMessagesMax: soft.messagesMax, windowBytesMax: soft.bytesMax },
  }
  try {
    return await withRewrap(config, pace.kmsCallsPerSecond, (rewrap) => {
      const impact = new CassandraLookUps(session)
      const rotation = new CassandraRotationLog(session)
      const ports = {
        ...{ impact, rewrap, reencrypt: { mapping: impact, rotation }, clock: systemClock },
        log: new CassandraIncidentLog(session),
      }
      return work((declaration) => planIncident(ports, declaration, prices))
    })
  } finally {
    await session.close()
  }
}
