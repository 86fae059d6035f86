import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { faultBench } from '../support/fault-bench.ts'
import { numberedRecords } from '../support/records.ts'
import { proveSealedOnce, untilSealed } from '../support/seal-under-fault.ts'

// What the machine gives runs out: descriptors, memory, the disk of the log.

const bench = faultBench()
const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const PARTITIONS = 2

/** Sets how many descriptors a running process may have; what it has above that stays. */
function limitDescriptors(pid: number, count: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`])
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

test('without a free descriptor new connections wait, and come with the descriptors', async () => {
  const place = bench.newPlace('descriptors')
  const { kafka } = bench
  const proxy = await bench.beforeTcp(bench.stack.s3.endpoint)
  await kafka.createTopic(place.topic, PARTITIONS)
  const append = (label: string) =>
    kafka.appendMany(place.topic, PARTITIONS, numberedRecords(1_000, label), 100)
  const messages = await append('before')
  const encryptor = new EncryptorProcess(place.config({ 's3.endpoint': `http://${proxy.address}` }))
  await untilSealed(bench, place, encryptor)
  await proxy.cut()
  limitDescriptors(encryptor.pid, 3)
  await proxy.restore()
  messages.push(...(await append('without')))
  await encryptor.until('waiting for s3', () => encryptor.logged(/^waiting for s3$/).length > 0)
  expect(encryptor.isRunning).toBe(true)
  limitDescriptors(encryptor.pid, descriptorsOf(encryptor.pid) + 200)
  await untilSealed(bench, place, encryptor)
  await encryptor.ready()
  expect((await encryptor.stop()).code).toBe(0)
  await proveSealedOnce(bench, place, messages)
})

test('a start with too few descriptors ends with one line that says so', async () => {
  const place = bench.newPlace('few-descriptors')
  await bench.kafka.createTopic(place.topic, PARTITIONS)
  const encryptor = new EncryptorProcess(place.config())
  await encryptor.until('started', () => encryptor.log.length > 0)
  limitDescriptors(encryptor.pid, 3)
  const { code, stderr } = await encryptor.ended
  expect([1, 2]).toContain(code)
  const plain = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
  expect(plain).toEqual([expect.stringMatching(/^sealstream: .*(EMFILE|too many open files)/)])
})

test('a process that runs out of memory ends at once; the next one seals everything once', async () => {
  const place = bench.newPlace('memory')
  const { kafka } = bench
  await kafka.createTopic(place.topic, PARTITIONS)
  const records = numberedRecords(40_000, 'memory', 200)
  const messages = await kafka.appendMany(place.topic, PARTITIONS, records)
  const small = new EncryptorProcess(place.config({ 'segment.messagesMax': 300 }), {}, [
    '--max-old-space-size=24',
    '--max-semi-space-size=1',
  ])
  const ending = await small.ended
  expect(ending.code === 0).toBe(false)
  const encryptor = new EncryptorProcess(place.config())
  await untilSealed(bench, place, encryptor)
  expect((await encryptor.stop()).code).toBe(0)
  await proveSealedOnce(bench, place, messages)
})

test('a full disk under the log costs the log, and nothing of the sealing', async () => {
  const place = bench.newPlace('log-full')
  const { kafka } = bench
  await kafka.createTopic(place.topic, PARTITIONS)
  const messages = await kafka.appendMany(place.topic, PARTITIONS, numberedRecords(2_000, 'full'))
  const config = place.config({ 'http.port': await freePort() })
  const log = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [CLI, 'run', '--config', config], {
    stdio: ['ignore', 'ignore', log],
  })
  bench.atEnd(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const ends = await kafka.ends(place.topic)
  while (!(await kafka.hasReached(place.groupId, place.topic, ends))) {
    expect(child.exitCode).toBeNull()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
  await proveSealedOnce(bench, place, messages)
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
