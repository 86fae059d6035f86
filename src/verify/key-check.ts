import { isSealError } from '../errors.ts'
import { forEachOf } from '../for-each-of.ts'
import type { DekRecord } from '../keys/key-store.ts'
import { type Check, throwIfStopped } from './check.ts'

const DEKS_AT_ONCE = 8
const FIELDS = ['dekId', 'keyDomain', 'kekId', 'kekVersion', 'createdAtMs', 'wrapped'] as const

const OF_THE_WRAP: ReadonlySet<string> = new Set(['kekId', 'kekVersion', 'wrapped'])
const TORN =
  'Cassandra and the key directory have different wraps of it: a rewrap is under way, or was cut off; run it again'

/** Looks for the DEK of every referenced segment in Cassandra and in the key directory. */
export async function checkKeys(check: Check): Promise<void> {
  const deks = new Set<string>()
  for (const { intent } of check.segments.referenced()) {
    if (intent !== null && intent.state !== 'shredded') deks.add(intent.dekId)
  }
  check.observer.stepBegan('DEKs', deks.size)
  await forEachOf(deks, DEKS_AT_ONCE, async (dekId) => {
    throwIfStopped(check)
    const meaning = await faultOf(check, dekId)
    if (meaning !== null) check.findings.add({ kind: 'keyRecord', dekId, meaning })
    check.observer.advanced(1)
  })
}

async function faultOf({ services: { keys } }: Check, dekId: string): Promise<string | null> {
  const onRecord = await keys.onRecord(dekId)
  if (onRecord === null) return 'it is not on record in Cassandra: look-ups by KEK do not find it'
  try {
    const entry = await keys.inDirectory(dekId)
    if (entry === null) return 'it is not in the key directory: a rewrap of its KEK would lose it'
    const differing = differingFields(onRecord, entry)
    if (differing.length === 0) return null
    if (differing.every((field) => OF_THE_WRAP.has(field))) return TORN
    return `Cassandra and the key directory differ in ${differing.join(', ')}`
  } catch (error) {
    if (!isSealError(error, 'SEAL_MALFORMED')) throw error
    return `its entry in the key directory cannot be read: ${error.message}`
  }
}

/** In what two records of one DEK differ. */
export function differingFields(a: DekRecord, b: DekRecord): readonly string[] {
  return FIELDS.filter((field) => !isSame(a, b, field))
}

function isSame(a: DekRecord, b: DekRecord, field: (typeof FIELDS)[number]): boolean {
  return field === 'wrapped' ? Buffer.compare(a.wrapped, b.wrapped) === 0 : a[field] === b[field]
}
