import type { StoredObject } from '../segment/object-inventory.ts'
import { segmentFolder } from '../segment/object-key.ts'
import { type Check, throwIfStopped } from './check.ts'

/** Something in the bucket that no intent named when it was listed. */
interface Unnamed {
  readonly object: string
  readonly tell: () => void
}

/** Notes the intent of every segment. */
export async function readIntents(check: Check): Promise<void> {
  check.observer.stepBegan('intents', null)
  for await (const entry of check.services.register.segments()) {
    throwIfStopped(check)
    check.segments.intend(entry)
    check.observer.advanced(1)
  }
}

/** Compares what is in the bucket with intents and references. */
export async function checkObjects(check: Check): Promise<void> {
  const { settings, services } = check
  const folder = segmentFolder(settings)
  check.observer.stepBegan('objects', null)
  const unnamed: Unnamed[] = []
  const unreferenced = { all: 0, young: 0 }
  for await (const object of services.inventory.objects(folder)) {
    throwIfStopped(check)
    check.observer.advanced(1)
    takeObject(check, object, unnamed, unreferenced)
  }
  for await (const { key: object, uploadId } of services.inventory.uploads(folder)) {
    throwIfStopped(check)
    const meaning = 'no intent names the upload: it was not begun by an encryptor of this keyspace'
    const tell = () => check.findings.add({ kind: 'unnamedUpload', object, uploadId, meaning })
    if (check.segments.at(object).intent === null) unnamed.push({ object, tell })
  }
  await settleUnnamed(check, unnamed)
  tellMissing(check, folder)
  if (!settings.isEveryTopic) return
  check.counts.unreferencedObjects = unreferenced.all
  check.counts.unreferencedYoung = unreferenced.young
}

function takeObject(
  check: Check,
  { key: object, versionId, isDeleteMarker, modifiedAtMs }: StoredObject,
  unnamed: Unnamed[],
  unreferenced: { all: number; young: number },
): void {
  const { settings, services, counts, findings } = check
  const segment = check.segments.at(object)
  // Versions of one moment come newest first.
  if (segment.newestAtMs === null || modifiedAtMs > segment.newestAtMs) {
    segment.newestAtMs = modifiedAtMs
    segment.isDeleted = isDeleteMarker
  }
  if (!isDeleteMarker) counts.objects++
  if (segment.intent === null) {
    const version = versionId === null ? {} : { versionId }
    const what = isDeleteMarker ? 'mark of deletion' : 'object'
    const meaning = `no intent names the ${what}: no look-up by key finds it`
    const tell = () => findings.add({ kind: 'unnamedObject', object, ...version, meaning })
    unnamed.push({ object, tell })
  } else if (segment.referenced === null && !isDeleteMarker) {
    unreferenced.all++
    if (services.clock.nowMs() - modifiedAtMs < settings.youngMs) unreferenced.young++
  }
}

/** An intent may have been written since the register was read; it is asked once more. */
async function settleUnnamed(check: Check, unnamed: readonly Unnamed[]): Promise<void> {
  if (unnamed.length > 0) await readIntents(check)
  for (const { object, tell } of unnamed) {
    if (check.segments.at(object).intent === null) tell()
  }
}

/** Referenced objects that the bucket does not list, unless opening them has told so already. */
function tellMissing(check: Check, folder: string): void {
  for (const {
    object,
    referenced,
    newestAtMs,
    isDeleted,
    isToldMissing,
    intent,
  } of check.segments.referenced()) {
    const isThere = newestAtMs !== null && !isDeleted
    // Whoever destroyed it on purpose has said so in the register.
    if (intent?.state === 'shredded') continue
    if (isThere || isToldMissing || !object.startsWith(folder)) continue
    const meaning = 'the object is not there; its messages cannot be read'
    check.findings.add({ kind: 'dangling', object, count: referenced.count, meaning })
  }
}
