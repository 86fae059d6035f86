import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { resetStack, type StackEndpoints, startStack } from '../../docker/stack/stack.ts'
import { systemClock } from '../../src/clock.ts'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { FaultBench } from '../support/fault-bench.ts'
import { numberedRecords } from '../support/records.ts'
import { proveSealedOnce, untilSealed } from '../support/seal-under-fault.ts'
import { SmallDisk } from '../support/small-disk.ts'

// Services whose data lie on small disks of their own, which are filled up.

const MEBIBYTES = { s3: 128, cassandra: 384, kafka: 256 } as const
type Part = keyof typeof MEBIBYTES
const PARTS = Object.keys(MEBIBYTES) as Part[]
const PARTITIONS = 2
const directory = mkdtempSync(join(tmpdir(), 'sealstream-disks-'))
const disks = new Map<Part, SmallDisk>()
let endpoints: StackEndpoints
const bench = new FaultBench(() => endpoints)

beforeAll(async () => {
  for (const part of PARTS) {
    disks.set(part, new SmallDisk(join(directory, 'disks', part), MEBIBYTES[part]))
  }
  mkdirSync(join(directory, 'data'))
  for (const part of ['s3', 'cassandra'] as const) symlinkSync(diskOf(part).folder, dataOf(part))
  await startServices()
  // Kafka makes its folder itself; it moves to its disk while the broker is away.
  await killPart('kafka')
  renameSync(dataOf('kafka'), `${dataOf('kafka')}.first`)
  cpSync(`${dataOf('kafka')}.first`, diskOf('kafka').folder, { recursive: true })
  symlinkSync(diskOf('kafka').folder, dataOf('kafka'))
  await startServices()
  await bench.connect()
})

afterAll(async () => {
  await bench.close()
  if (endpoints !== undefined) await resetStack(directory)
  for (const disk of disks.values()) disk.unmount()
  rmSync(directory, { recursive: true, force: true })
})

async function startServices(): Promise<void> {
  endpoints = await startStack({ directory, ports: 'free' })
}

function diskOf(part: Part): SmallDisk {
  return disks.get(part) as SmallDisk
}

function dataOf(part: Part): string {
  return join(directory, 'data', part)
}

/** Ends a service, if it has not ended itself, and waits for that. */
async function killPart(part: Part): Promise<void> {
  const pid = endpoints.processes[part]
  for (;;) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      return
    }
    await systemClock.sleep(50)
  }
}

test.each(PARTS)(
  'a full disk under %s is waited out, and nothing is lost or doubled',
  async (part) => {
    const place = bench.newPlace(`disk-${part}`)
    await bench.kafka.createTopic(place.topic, PARTITIONS)
    const append = (count: number, label: string) =>
      bench.kafka.appendMany(place.topic, PARTITIONS, numberedRecords(count, label), 50)
    const messages = await append(500, 'before')
    // Segments stay open long enough for the disk to be full when they close.
    const encryptor = new EncryptorProcess(place.config({ 'segment.ageMs': '3s' }))
    await untilSealed(bench, place, encryptor)
    messages.push(...(await append(2_000, 'into the full disk')))
    diskOf(part).fill()
    await encryptor.until(`waiting for ${part}`, async () => {
      const readiness = await encryptor.readiness()
      return readiness?.reasons.some((reason) => reason.includes(`waiting for ${part}`)) === true
    })
    await systemClock.sleep(3_000)
    expect(encryptor.isRunning).toBe(true)

    diskOf(part).free()
    // S3 goes on by itself; the others stop for good when their disk is full, and are started again.
    if (part !== 's3') {
      await killPart(part)
      await startServices()
      await bench.connect()
    }
    messages.push(...(await append(200, 'after')))
    await untilSealed(bench, place, encryptor)
    await encryptor.ready()
    expect((await encryptor.stop()).code).toBe(0)
    await proveSealedOnce(bench, place, messages)
  },
)
