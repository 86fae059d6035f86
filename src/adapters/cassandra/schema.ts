import { systemClock } from '../../clock.ts'
import { SealError } from '../../errors.ts'
import {
  type CassandraConnection,
  type CassandraOptions,
  connectWithoutKeyspace,
} from './connection.ts'
import { noteGap } from './look-up-days.ts'
import { initialSchema } from './schema/0001-initial.ts'
import { keyEventsSchema } from './schema/0002-key-events.ts'
import { sweptSegmentsSchema } from './schema/0003-swept-segments.ts'
import { lookUpsSchema } from './schema/0004-look-ups.ts'
import { messageRunsSchema } from './schema/0005-message-runs.ts'
import { replacedSegmentsSchema } from './schema/0006-replaced-segments.ts'
import { kekOrdersSchema } from './schema/0007-kek-orders.ts'
import { rotationSchema } from './schema/0008-rotation.ts'
import { incidentsSchema } from './schema/0009-incidents.ts'
import { shreddedSegmentsSchema } from './schema/0010-shredded-segments.ts'
import { rareCompactionSchema } from './schema/0011-rare-compaction.ts'

interface SchemaStep {
  readonly version: number
  readonly name: string
  readonly statements: (table: (name: string) => string) => readonly string[]
}

const STEPS: readonly SchemaStep[] = [
  { version: 1, name: 'initial', statements: initialSchema },
  { version: 2, name: 'key events', statements: keyEventsSchema },
  { version: 3, name: 'swept segments', statements: sweptSegmentsSchema },
  { version: 4, name: 'look-ups', statements: lookUpsSchema },
  { version: 5, name: 'message runs', statements: messageRunsSchema },
  { version: 6, name: 'replaced segments', statements: replacedSegmentsSchema },
  { version: 7, name: 'KEK orders', statements: kekOrdersSchema },
  { version: 8, name: 'rotation by age', statements: rotationSchema },
  { version: 9, name: 'incidents', statements: incidentsSchema },
  { version: 10, name: 'shredded segments', statements: shreddedSegmentsSchema },
  { version: 11, name: 'rare compaction', statements: rareCompactionSchema },
]

/** The schema version that this release of sealstream reads and writes. */
export const SCHEMA_VERSION = STEPS.at(-1)?.version ?? 0

const KEYSPACE_NAME = /^[a-z][a-z0-9_]{0,47}$/

/** How {@link migrate} may act. */
export interface MigrationOptions {
  /** Copies of each row in the local datacenter; used only when the keyspace is created. */
  readonly replicationFactor: number
  /** false: change nothing, only see that the schema is there. */
  readonly createSchema: boolean
}

/**
 * Brings the keyspace to {@link SCHEMA_VERSION}, or sees that it is there. May be repeated, and may
 * run in several processes at once. A keyspace that exists keeps its replication. Returns whether it
 * made the keyspace, whose look-ups then know nothing of what may have been sealed before. Errors:
 * SEAL_CONFIG_INVALID (keyspace name), SEAL_MAPPING_REFUSED (schema missing), SEAL_MAPPING_*.
 */
export async function migrate(options: CassandraOptions, plan: MigrationOptions): Promise<boolean> {
  if (!KEYSPACE_NAME.test(options.keyspace)) {
    const message = `cassandra.keyspace "${options.keyspace}" is refused: use at most 48 of a-z, 0-9 and _, a letter first`
    throw new SealError('SEAL_CONFIG_INVALID', message)
  }
  const connection = await connectWithoutKeyspace(options)
  try {
    if (plan.createSchema) await createKeyspace(connection, options, plan.replicationFactor)
    const applied = await appliedVersions(connection, options.keyspace)
    const missing = STEPS.filter((step) => !applied.has(step.version))
    if (missing.length === 0) return false
    if (!plan.createSchema) throw schemaMissing(options.keyspace, missing)
    for (const step of missing) await apply(connection, options.keyspace, step)
    const isNew = missing.includes(STEPS[0] as SchemaStep)
    if (isNew) await noteGap(connection, systemClock.nowMs(), options.keyspace)
    return isNew
  } finally {
    await connection.close()
  }
}

async function createKeyspace(
  connection: CassandraConnection,
  options: CassandraOptions,
  replicationFactor: number,
): Promise<void> {
  const datacenter = options.localDatacenter.replaceAll("'", "''")
  await connection.define(
    `CREATE KEYSPACE IF NOT EXISTS ${options.keyspace} WITH replication =
     {'class': 'NetworkTopologyStrategy', '${datacenter}': ${replicationFactor}}`,
  )
  await connection.define(
    `CREATE TABLE IF NOT EXISTS ${options.keyspace}.schema_versions (
       version int PRIMARY KEY, name text, applied_at timestamp
     ) WITH comment = 'Schema steps of sealstream that were applied here'`,
  )
}

async function appliedVersions(
  connection: CassandraConnection,
  keyspace: string,
): Promise<ReadonlySet<number>> {
  const tables = await connection.execute(
    'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?',
    [keyspace, 'schema_versions'],
  )
  if (tables.rowLength === 0) return new Set()
  const result = await connection.execute(`SELECT version FROM ${keyspace}.schema_versions`, [])
  return new Set(result.rows.map((row) => row.version as number))
}

async function apply(
  connection: CassandraConnection,
  keyspace: string,
  step: SchemaStep,
): Promise<void> {
  for (const statement of step.statements((name) => `${keyspace}.${name}`)) {
    await connection.define(statement)
  }
  await connection.execute(
    `INSERT INTO ${keyspace}.schema_versions (version, name, applied_at) VALUES (?, ?, ?)`,
    [step.version, step.name, new Date(systemClock.nowMs())],
  )
}

function schemaMissing(keyspace: string, missing: readonly SchemaStep[]): SealError {
  const steps = missing.map((step) => `${step.version} (${step.name})`).join(', ')
  const message = `keyspace "${keyspace}" lacks schema step ${steps}; set cassandra.createSchema to true for one start, by a role that may create tables`
  return new SealError('SEAL_MAPPING_REFUSED', message)
}
