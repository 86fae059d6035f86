import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraLookUps } from '../adapters/cassandra/look-ups.ts'
import { CassandraRotationLog } from '../adapters/cassandra/rotation-log.ts'
import { CassandraSegmentRegister } from '../adapters/cassandra/segment-register.ts'
import { CassandraWrapRegister } from '../adapters/cassandra/wrap-register.ts'
import { S3ObjectInventory } from '../adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { probeKek } from '../keys/check-kek.ts'
import { kekInForce } from '../keys/kek-orders.ts'
import { assess } from '../response/assess.ts'
import { contain } from '../response/contain.ts'
import { type Declaration, type Incident, leftKekOf } from '../response/incident.ts'
import { type ProvePorts, prove } from '../response/prove.ts'
import { reencryptSegments } from '../response/reencrypt-segments.ts'
import { retire } from '../response/retire.ts'
import { rewrapDeks } from '../response/rewrap-deks.ts'
import {
  type StepControl,
  type StepEnding,
  type StepWork,
  sayingWaits,
} from '../response/step-work.ts'
import { withImpactReader } from './impact.ts'
import { kekEndByHand, openKekAdmin } from './kek-admin.ts'
import { withKeks } from './kek-rotation.ts'
import { keyDirectoryOf } from './key-directory.ts'
import { withKeys } from './key-office.ts'
import { type ReencryptionUse, withReencryption } from './reencryption.ts'
import { withRewrap } from './rewrap.ts'
import { cassandraOptionsOf, s3OptionsOf } from './service-options.ts'

/**
 * The steps of an incident over the services of a configuration: those of `rotate kek`, `impact`,
 * `rewrap` and `reencrypt`, the walk over what depends on a KEK, and the end of that KEK.
 */
export function incidentSteps(config: Config): StepWork {
  return {
    contain: ({ declaration }, control) =>
      withKeks(config, (services) => contain(services, declaration, control)),
    assess: ({ declaration }, control) =>
      withKeys(config, ({ events }) =>
        withImpactReader(config, (reader) => assess({ reader, events }, declaration, control)),
      ),
    check: ({ declaration }) => check(config, declaration),
    rewrap: ({ declaration }, control) =>
      withRewrap(config, control.pace.kmsCallsPerSecond, (place) =>
        rewrapDeks(place, declaration, control),
      ),
    reencrypt: (incident, control) => reencrypt(config, incident, control),
    prove: ({ declaration }, control) =>
      withProvePorts(config, (ports) => prove(ports, declaration, control)),
    retire: ({ declaration }, control) => end(config, declaration, control),
  }
}

/** Wraps and unwraps under every KEK that new DEKs come under now. */
async function check(config: Config, declaration: Declaration): Promise<StepEnding> {
  const { keyDomain, newKekId } = declaration
  return withKeks(config, async ({ kms, orders, configured, longestDomain }) => {
    const kekId = newKekId ?? kekInForce(configured, await orders.orders(0), keyDomain).kekId
    const probed = await probeKek(kms, kekId, longestDomain)
    return { kind: 'done', details: { ...probed } }
  })
}

function reencrypt(
  config: Config,
  { declaration }: Incident,
  control: StepControl,
): Promise<StepEnding> {
  const { pace, signal, listener } = control
  const use: ReencryptionUse = {
    ...{ actor: declaration.actor, threads: pace.threads, signal },
    ...{ bytesPerSecond: pace.bytesPerSecond, kmsCallsPerSecond: pace.kmsCallsPerSecond },
    liveFirst: null,
    leaving: leftKekOf(declaration),
    observer: {
      ...sayingWaits(listener),
      keyEventsUnwritten: () => {},
      keyEventsLost: (count) => listener.said(`${count} key events were not written`),
      keyRecordsFailed: () => {},
    },
  }
  return withReencryption(config, use, (ports) => reencryptSegments(ports, declaration, control))
}

async function end(
  config: Config,
  declaration: Declaration,
  control: StepControl,
): Promise<StepEnding> {
  const admin = control.isKmsTold ? await openKekAdmin(config) : null
  const byHand = kekEndByHand(config, declaration)
  return withKeks(config, ({ orders, kms, clock }) =>
    retire({ orders, kms, clock, admin, byHand }, declaration, control),
  )
}

/** Runs `work` with what a proof needs, and ends the connections whatever comes of it. */
async function withProvePorts<T>(
  config: Config,
  work: (ports: ProvePorts) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  const inventory = new S3ObjectInventory(s3OptionsOf(config))
  const objects = new S3ObjectReader(s3OptionsOf(config))
  try {
    const mapping = new CassandraLookUps(session)
    const register = new CassandraSegmentRegister(session)
    const store = { inventory, objects }
    const directory = keyDirectoryOf(objects, config.s3)
    const wraps = new CassandraWrapRegister(session)
    return await work({
      dependents: { mapping, wraps, register, directory, store },
      sources: { mapping, rotation: new CassandraRotationLog(session) },
      clock: systemClock,
      prefix: config.s3.prefix,
    })
  } finally {
    await Promise.all([inventory.close(), objects.close()])
    await session.close()
  }
}
