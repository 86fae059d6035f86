import { randomBytes, randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import { areSameKek } from '../keys/kek-name.ts'
import type { MappingReader } from '../mapping/mapping-store.ts'
import { type Declaration, declarationDetails } from './incident.ts'
import type { IncidentLog } from './incident-log.ts'

/** What is declared, but for what a declaration gets by itself. */
export type NewDeclaration = Omit<Declaration, 'incidentId' | 'declaredAtMs' | 'orderId'>

/** What it takes to declare. */
export interface DeclarePorts {
  readonly log: IncidentLog
  readonly mapping: Pick<MappingReader, 'deksOfKek'>
  readonly clock: Clock
}

/**
 * Puts an incident on record. Touches no key yet, and asks no KMS. Throws SEAL_KEY_UNKNOWN for a KEK
 * that never wrapped anything here, SEAL_INPUT_INVALID and SEAL_MAPPING_*.
 */
export async function declare(ports: DeclarePorts, asked: NewDeclaration): Promise<Declaration> {
  const { log, clock } = ports
  const wanted = normal(asked)
  await refuseUnknown(ports, wanted)
  const declaredAtMs = clock.nowMs()
  const day = new Date(declaredAtMs).toISOString().slice(0, 10)
  const incidentId = `${day}-${randomBytes(3).toString('hex')}`
  const declaration = { ...wanted, incidentId, declaredAtMs, orderId: randomUUID() }
  await log.declare({
    ...{ incidentId, sequence: 1, eventId: randomUUID(), atMs: declaredAtMs },
    ...{ actor: declaration.actor, runId: null, kind: 'declared', step: null },
    details: declarationDetails(declaration),
  })
  return declaration
}

/** Refuses what cannot be meant. Throws SEAL_INPUT_INVALID. */
export function normal(asked: NewDeclaration): NewDeclaration {
  const kekId = asked.kekId.trim()
  const newKekId = asked.newKekId?.trim() ?? null
  if (kekId === '' || newKekId === '') throw refused('the name of a KEK is empty')
  if (newKekId !== null && areSameKek(kekId, newKekId)) {
    throw refused('the new KEK is the one that is to be left')
  }
  if (newKekId === null && asked.kekVersion === null) {
    throw refused(
      'name the new KEK, or the version that is to be left for a new one of the same KEK',
    )
  }
  return { ...asked, kekId, newKekId }
}

/** Throws SEAL_KEY_UNKNOWN for a KEK, or version, that wrapped nothing that is on record. */
export async function refuseUnknown(
  { mapping }: Pick<DeclarePorts, 'mapping'>,
  { kekId, kekVersion }: Pick<Declaration, 'kekId' | 'kekVersion'>,
): Promise<void> {
  for await (const _dek of mapping.deksOfKek(kekId, kekVersion ?? undefined)) return
  const version = kekVersion === null ? '' : ` version "${kekVersion}"`
  const message = `no DEK wrapped under KEK "${kekId}"${version} is on record in this keyspace; see that the name is complete and that cassandra.keyspace is the one that sealed`
  throw new SealError('SEAL_KEY_UNKNOWN', message)
}

function refused(message: string): SealError {
  return new SealError('SEAL_INPUT_INVALID', message)
}
