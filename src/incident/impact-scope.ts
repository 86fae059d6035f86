import { SealError } from '../errors.ts'
import type { LookUps } from '../mapping/look-ups.ts'
import type { DekEntry, MappingReader } from '../mapping/mapping-store.ts'

/** What answers questions of impact. */
export type ImpactReader = MappingReader & LookUps

/**
 * What is asked about. All that is given must hold; one thing at least is. A KEK is named in full (an
 * ARN) or by its bare id. A segment is in a time range if it was open at any moment of it.
 */
export interface ImpactScope {
  readonly dekId?: string
  readonly kekId?: string
  readonly kekVersion?: string
  readonly keyDomain?: string
  readonly topic?: string
  readonly partition?: number
  readonly fromMs?: number
  /** The first moment that is not asked about. */
  readonly toMs?: number
}

/** A scope of keys alone. */
export type KeyScope =
  | { readonly dekId: string }
  | { readonly kekId: string; readonly kekVersion?: string }

type DekReader = Pick<ImpactReader, 'findDek' | 'deksOfKek' | 'dekUnder' | 'deksOfDomain'>

/** Ids come pasted from tickets and audit logs, so blanks around them and upper case are taken. */
export function normalScope(scope: ImpactScope): ImpactScope {
  const { dekId, kekId, kekVersion, keyDomain, topic, partition, fromMs, toMs } = scope
  if (dekId === undefined && kekId === undefined && keyDomain === undefined) {
    if (topic === undefined && fromMs === undefined && toMs === undefined) {
      throw refused('name a DEK, a KEK, a key domain, a topic or a time range')
    }
  }
  if (kekVersion !== undefined && kekId === undefined) throw refused('a version needs its KEK')
  if (partition !== undefined && topic === undefined) throw refused('a partition needs its topic')
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    throw refused('the time range ends before it begins')
  }
  return {
    ...scope,
    ...(dekId === undefined ? {} : { dekId: dekId.trim().toLowerCase() }),
    ...(kekId === undefined ? {} : { kekId: kekId.trim() }),
  }
}

/**
 * The DEK, when it is one that the scope asks about; else null. Where that names a KEK, it is the DEK
 * as that KEK wrapped it: it may be under another by now.
 */
export async function dekInScope(
  reader: Pick<DekReader, 'dekUnder'>,
  dek: DekEntry,
  { dekId, kekId, kekVersion, keyDomain }: ImpactScope,
): Promise<DekEntry | null> {
  if (dekId !== undefined && dek.dekId !== dekId) return null
  if (keyDomain !== undefined && dek.keyDomain !== keyDomain) return null
  return kekId === undefined ? dek : reader.dekUnder(dek, kekId, kekVersion)
}

/**
 * The DEKs that the scope names by DEK, KEK or key domain, oldest first. Errors: SEAL_KEY_UNKNOWN for
 * one that is on no record, which differs from one that protects nothing; SEAL_MAPPING_*.
 */
export async function* deksInScope(
  reader: DekReader,
  asked: ImpactScope,
): AsyncGenerator<DekEntry> {
  const scope = normalScope(asked)
  let isKnown = false
  // Who comes by its KEK is asked about it no more.
  const { kekId: _, ...rest } = scope
  const filter = scope.dekId === undefined ? rest : scope
  for await (const found of namedDeks(reader, scope)) {
    isKnown = true
    const dek = await dekInScope(reader, found, filter)
    if (dek !== null) yield dek
  }
  if (!isKnown) throw unknownKey(scope)
}

/** Narrower than the scope or as wide: by the first of its names alone. */
async function* namedDeks(
  reader: DekReader,
  { dekId, kekId, kekVersion, keyDomain }: ImpactScope,
): AsyncGenerator<DekEntry> {
  if (dekId !== undefined) {
    const dek = await reader.findDek(dekId)
    if (dek !== null) yield dek
  } else if (kekId !== undefined) yield* reader.deksOfKek(kekId, kekVersion)
  else if (keyDomain !== undefined) yield* reader.deksOfDomain(keyDomain)
}

function unknownKey({ dekId, kekId, kekVersion, keyDomain }: ImpactScope): SealError {
  const version = kekVersion === undefined ? '' : ` version "${kekVersion}"`
  const ofKek =
    kekId === undefined ? `of key domain "${keyDomain}"` : `wrapped under KEK "${kekId}"`
  const what = dekId === undefined ? `DEK ${ofKek}${version}` : `DEK "${dekId}"`
  const message = `no ${what} is on record in this keyspace; see that the name is complete and that cassandra.keyspace is the one that sealed`
  return new SealError('SEAL_KEY_UNKNOWN', message)
}

/** A topic, partition or message that nothing is on record of. */
export function unknownSource(what: string): SealError {
  const message = `${what} is on record in this keyspace; see that the name is right and that cassandra.keyspace is the one that sealed`
  return new SealError('SEAL_SOURCE_UNKNOWN', message)
}

function refused(message: string): SealError {
  return new SealError('SEAL_INPUT_INVALID', message)
}
