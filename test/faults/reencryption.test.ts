import { expect, test } from 'vitest'
import { S3ObjectReader } from '../../src/adapters/s3/s3-object-reader.ts'
import { systemClock } from '../../src/clock.ts'
import { FAILPOINT_VARIABLE, REENCRYPTION_FAILPOINTS } from '../../src/failpoints.ts'
import { dekOfObject } from '../../src/reader/segment-holder.ts'
import { CommandLineProcess, EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { messages } from '../support/messages.ts'
import { numberedRecords } from '../support/records.ts'
import { hammerReferences } from '../support/reference-hammer.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import type { SealingPlace } from '../support/sealing-place.ts'
import { sealingScene } from '../support/sealing-scene.ts'
import { expectVerified } from '../support/verified.ts'

const PARTITIONS = 2
const SMALL = 6_000
/** A few of them in a segment make it larger than a part. */
const LARGE = 16
const LARGE_BYTES = 3_000_000
/** A part of a re-encryption that stands still is asleep for as long. */
const ASLEEP_MS = 4_000
const WAKE_EVERY_MS = 500

const scene = sealingScene()
/** A bucket without versions has no old ones to be removed: test/integration does that. */
const labels = REENCRYPTION_FAILPOINTS.filter((label) => !label.endsWith('-old-version'))
let config: string

async function sealed(name: string) {
  const place = await scene.newPlace(name, PARTITIONS)
  const { kafka } = scene
  config = place.config({
    ...{ 'segment.messagesMax': 300, 'segment.ageMs': '1s', 'part.bytesMax': '5MiB' },
  })
  const appended = [
    ...(await kafka.appendMany(place.topic, PARTITIONS, numberedRecords(SMALL, name), 300)),
    ...(await kafka.appendMany(
      place.topic,
      PARTITIONS,
      messages(LARGE, { value: Buffer.alloc(LARGE_BYTES, 7) }),
      4,
    )),
  ]
  const encryptor = new EncryptorProcess(config)
  const isDone = async () =>
    kafka.hasReached(place.groupId, place.topic, await kafka.ends(place.topic))
  await encryptor.until('done', isDone)
  await encryptor.stop()
  const opened = await expectSealedOnce(kafka, place, place.topic, appended)
  const objects = new S3ObjectReader({
    ...{ ...place.stack.s3, forcePathStyle: true, requestTimeoutMs: 30_000 },
  })
  const dekId = (await dekOfObject(objects, opened[0]?.reference.object as string)) as string
  await objects.close()
  return { place, opened, dekId }
}

const args = (dekId: string) => ['reencrypt', '--dek', dekId, '--yes', '--json', '--config', config]

async function expectDone(place: SealingPlace, dekId: string): Promise<void> {
  const last = await runCommand(args(dekId))
  expect({ code: last.code, stderr: last.stderr }).toEqual({ code: 0, stderr: '' })
  const { code, stdout } = await runCommand([
    'impact',
    '--dek',
    dekId,
    '--json',
    '--config',
    config,
  ])
  expect(code).toBe(0)
  expect(JSON.parse(stdout).segments).toMatchObject({ published: 0, sealed: 0, intended: 0 })
  await expectVerified(place, { config })
}

test('killed at every failpoint in turn, under readers: no reading fails, and the next run goes on', async () => {
  const { place, opened, dekId } = await sealed('reencrypt-kills')
  const stopHammer = hammerReferences(place, opened)
  for (const label of labels) {
    // One by one, so that there is work left for the last of them.
    const oneByOne = [...args(dekId), '--segments-at-once', '1']
    const { signal } = await runCommand(oneByOne, { [FAILPOINT_VARIABLE]: `${label}:exit` })
    expect(signal, label).toBe('SIGKILL')
  }
  const { opened: count, failures } = await stopHammer()
  expect(failures).toEqual([])
  expect(count).toBeGreaterThan(1_000)
  await expectDone(place, dekId)
})

test('asleep at every failpoint while others do its work: what it does late changes nothing', async () => {
  const { place, opened, dekId } = await sealed('reencrypt-sleeps')
  const stopHammer = hammerReferences(place, opened)
  const sleepers = labels.map(
    (label) => new CommandLineProcess(args(dekId), { [FAILPOINT_VARIABLE]: `${label}:stop` }),
  )
  await systemClock.sleep(ASLEEP_MS)
  await runCommand(args(dekId))
  // Some come to their failpoint only now: they are woken as soon as they sleep.
  while (sleepers.some(({ isRunning }) => isRunning)) {
    for (const sleeper of sleepers) sleeper.kill('SIGCONT')
    await systemClock.sleep(WAKE_EVERY_MS)
  }
  for (const { ended } of sleepers) expect((await ended).code).toBe(0)
  const { failures } = await stopHammer()
  expect(failures).toEqual([])
  await expectDone(place, dekId)
})

test('shared out over encryptors, one of which is killed: the others do its share', async () => {
  const { place, opened, dekId } = await sealed('reencrypt-share')
  const encryptors = [1, 2].map(() => new EncryptorProcess(config))
  const [doomed, other] = encryptors as [EncryptorProcess, EncryptorProcess]
  for (const encryptor of encryptors) {
    await encryptor.until('ready', async () => (await encryptor.readiness())?.httpStatus === 200)
  }
  const stopHammer = hammerReferences(place, opened)
  const sharing = runCommand([...args(dekId), '--share'])
  const moved = (encryptor: EncryptorProcess) =>
    encryptor.metric('sealstream_reencrypted_segments_total')
  await doomed.until('at work', async () => (await moved(doomed)) > 0)
  doomed.kill('SIGKILL')
  const { code, stdout, stderr } = await sharing
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const segments = new Set(opened.map(({ reference }) => reference.object)).size
  expect(JSON.parse(stdout)).toEqual({ shared: segments, notDone: 0, isStopped: false })
  expect(await moved(other)).toBeGreaterThan(0)
  expect((await stopHammer()).failures).toEqual([])
  expect(await other.stop()).toMatchObject({ code: 0 })
  await expectDone(place, dekId)
})
