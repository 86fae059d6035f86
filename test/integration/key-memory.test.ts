import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { KeyFinder, type KnownKeys } from '../support/known-keys.ts'
import { type Leak, LeakSearch } from '../support/leak-search.ts'
import { searchMemory } from '../support/process-memory.ts'
import { numberedRecords } from '../support/records.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

const WINDOW = 20
/** The DEK, and frame key and footer key of the one segment under it. */
const KEYS_OF_A_WINDOW = 3
const place = new SealingPlace('memory')
let kafka: KafkaFixture
let s3: TcpProxy
let encryptor: EncryptorProcess

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, 1)
  s3 = await TcpProxy.before(new URL(place.stack.s3.endpoint).host)
  encryptor = new EncryptorProcess(
    place.config({
      'process.memoryDumps': 'allow',
      's3.endpoint': `http://${s3.address}`,
      'window.messagesMax': WINDOW,
      'window.outageFactor': 1,
    }),
    {},
    ['--heapsnapshot-signal=SIGUSR2', `--diagnostic-dir=${place.folder}`],
  )
  await encryptor.ready()
})

afterAll(async () => {
  await encryptor.stop()
  await s3.cut()
  await kafka.close()
  place.remove()
})

/** Appends messages and waits until they are sealed, published and committed. */
async function seal(count: number): Promise<void> {
  await kafka.appendMany(place.topic, 1, numberedRecords(count, 'memory'))
  const ends = await kafka.ends(place.topic)
  await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
}

const memory = (keys: KnownKeys) => searchMemory(encryptor.pid, new LeakSearch(keys))

/** What was found, by name and form. */
function found(leaks: readonly Leak[]): string[] {
  return [...new Set(leaks.map(({ secret, form }) => `${secret}, ${form}`))].toSorted()
}

/** Leaks of the bytes themselves. */
function bytesOf(leaks: readonly Leak[]): Leak[] {
  return leaks.filter(({ form }) => form === 'raw')
}

/** Raw, and in no other form. */
function bare(names: readonly string[]): string[] {
  return names.map((name) => `${name}, raw`).toSorted()
}

/** The keys of a place by what has become of them. */
interface Known {
  /** DEKs that something was sealed under, and the keys of their segments. */
  readonly used: KnownKeys
  /** DEKs that were made ahead. */
  readonly unused: KnownKeys
}

async function known(finder: KeyFinder): Promise<Known> {
  const deks = await finder.deks()
  const segments = await finder.segmentKeys(deks)
  const entries = Object.entries(deks)
  const isUsed = ([dekId]: [string, Uint8Array]) => dekId in segments
  const used = Object.fromEntries(entries.filter(isUsed))
  const unused = Object.fromEntries(entries.filter((entry) => !isUsed(entry)))
  return { used: Object.assign(used, ...Object.values(segments)), unused }
}

/** Sends the signal and returns the snapshot once it is written to its end. */
async function heapSnapshot(): Promise<Buffer> {
  encryptor.kill('SIGUSR2')
  const files = () => readdirSync(place.folder).filter((name) => name.endsWith('.heapsnapshot'))
  const path = () => join(place.folder, files()[0] as string)
  await encryptor.until('giving a snapshot', () => files().length > 0)
  let snapshot = Buffer.alloc(0)
  await encryptor.until('done with the snapshot', () => {
    snapshot = readFileSync(path())
    return snapshot.subarray(-2).toString().trimEnd().endsWith('}')
  })
  return snapshot
}

describe('the memory of a running encryptor', () => {
  test('holds the bytes of the keys in use and of none that is retired; a heap snapshot holds no form of those', async () => {
    using finder = new KeyFinder(place)
    await seal(3 * WINDOW)
    const retired = (await known(finder)).used
    expect(Object.keys(retired).length).toBeGreaterThanOrEqual(3 * KEYS_OF_A_WINDOW)
    // From here on segments are stored, but the encryptor does not hear of it and works on.
    s3.hold('answers')
    await kafka.appendMany(place.topic, 1, numberedRecords(5, 'memory'))
    let now = { used: retired, unused: {} } as Known
    await encryptor.until('storing one more segment', async () => {
      now = await known(finder)
      return Object.keys(now.used).length > Object.keys(retired).length
    })
    const isInUse = (name: string) => !(name in retired)
    const inUse = Object.keys(now.used).filter(isInUse)
    expect(inUse.length).toBeGreaterThanOrEqual(KEYS_OF_A_WINDOW)
    // What is there is found: the DEK in use, the keys of the open segment, the DEK made ahead.
    const during = memory({ ...now.used, ...now.unused })
    expect(found(bytesOf(during.leaks))).toEqual(bare([...inUse, ...Object.keys(now.unused)]))

    s3.release()
    await seal(WINDOW)
    // No garbage collection is waited for: a key is wiped when its last user is done.
    const after = memory(now.used)
    expect(found(bytesOf(after.leaks))).toEqual([])
    // Text, the form in which the KMS answers, is in no string. In freed read buffers of the system's
    // allocator, which nobody can reach, it may stay until they are used again.
    const inSnapshot = new LeakSearch(now.used).inBytes(await heapSnapshot(), 'heap snapshot')
    expect(found(inSnapshot)).toEqual([])
  })
})

describe('an encryptor as it is by default', () => {
  test('has no core dump and opens no debugger', async () => {
    const idle = new SealingPlace('memory-default')
    await kafka.createTopic(idle.topic, 1)
    const own = new EncryptorProcess(idle.config())
    await own.ready()
    const limits = readFileSync(`/proc/${own.pid}/limits`, 'utf8')
    expect(limits).toMatch(/^Max core file size +0 +0 /m)
    expect(own.logged(/memory dumps and debuggers are refused/)).toHaveLength(1)
    own.kill('SIGUSR1')
    const withoutDebugger = expect.not.stringContaining('Debugger')
    expect(await own.stop()).toMatchObject({ code: 0, stderr: withoutDebugger })
    idle.remove()
  })
})
