import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { cipher, renderCipher } from './cipher.ts'
import { impact, renderImpactBench } from './impact.ts'
import { ladder } from './ladder.ts'
import { liveReencryption, renderLiveReencryption } from './live-reencryption.ts'
import { mapping, renderMapping } from './mapping.ts'
import { renderLadder } from './measure.ts'
import { reading, renderReading } from './reading.ts'
import { reencryption, renderReencryptionBench } from './reencryption.ts'
import { renderTurns, turns } from './turns.ts'

const HELP = `Usage: npm run bench [-- [cipher] [ladder] [mapping] [turns] [reencryption]
                       [live-reencryption] [impact] [reading] [options] [--json]]

cipher and ladder give CPU microseconds a message, over all threads of the process; median of the
repeats, with their spread. They need no service, and both run without a name. mapping, turns,
reencryption, impact and reading start services of their own.

  cipher   sealing and opening one frame: our engines beside node:crypto with raw key bytes,
           WebCrypto and the AWS Encryption SDK, at 100 B, 1 KiB, 16 KiB and 1 MiB
  ladder   decoding, packing, and a worker's share of a part; each line adds one stage
  mapping  writing and reading the mapping by the row and by the run: CPU of this process and of
           Cassandra, and bytes on disk, a message
  turns    how long windows that turn every second hold up the road, beside none that turn
  live-reencryption  latencies of sealing without re-encryption, and beside it with and without
           yielding, in turns
  reencryption  megabytes a second and CPU seconds a gigabyte, of this process and of every service
  impact   counting and listing what a KEK protected: time, and CPU us a message of client and Cassandra
  reading  sequential reading of 1 KiB messages in three ways, and point opens at 200/s in an open loop

Options:
  --repeats N   of all but turns (9)
  --gigabytes N of each shape of segments for reencryption (2)
  --messages N  that mapping and impact write by the row; five times as many by the run; that
                reading seals (400000)
  --rate N      messages a second for turns and live-reencryption (20000)
  --seconds N   of each run of turns, each block of live-reencryption, and the point opens of reading (30)
  --json        the same as data, on stdout

Examples:
  $ npm run bench
  $ npm run bench -- cipher --repeats 15
  $ npm run bench -- ladder --json
  $ npm run bench -- mapping --repeats 5
  $ npm run bench -- turns --rate 20000 --seconds 60
  $ npm run bench -- reencryption --repeats 3 --gigabytes 2
  $ npm run bench -- live-reencryption --repeats 3 --rate 5000 --seconds 30
  $ npm run bench -- impact --repeats 5
  $ npm run bench -- reading --repeats 3 --messages 1000000
`
const SERVICELESS = ['cipher', 'ladder']
const BENCHES = [
  ...SERVICELESS,
  'mapping',
  'turns',
  'reencryption',
  'live-reencryption',
  'impact',
  'reading',
]
const USAGE_EXIT_CODE = 2

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      repeats: { type: 'string', default: '9' },
      messages: { type: 'string', default: '400000' },
      rate: { type: 'string', default: '20000' },
      seconds: { type: 'string', default: '30' },
      gigabytes: { type: 'string', default: '2' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  })
  if (values.help) {
    process.stdout.write(HELP)
    return
  }
  const texts = [values.repeats, values.rate, values.seconds, values.gigabytes, values.messages]
  const numbers = texts.map(Number) as [number, number, number, number, number]
  const [repeats, perSecond, seconds, gigabytes, messages] = numbers
  const unknown = positionals.filter((name) => !BENCHES.includes(name))
  const isBad = numbers.some((n) => !Number.isInteger(n) || n < 1)
  if (unknown.length > 0 || isBad) {
    const bad = 'bad --repeats, --rate, --seconds, --gigabytes or --messages'
    const wrong = unknown.length > 0 ? `no benchmark ${unknown.join(', ')}` : bad
    process.stderr.write(`${wrong}\n\n${HELP}`)
    process.exitCode = USAGE_EXIT_CODE
    return
  }
  const wanted = positionals.length === 0 ? SERVICELESS : positionals
  const isWanted = (name: string) => wanted.includes(name)
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }
  const results = {
    ...(isWanted('cipher') && { cipher: await cipher(repeats) }),
    ...(isWanted('ladder') && { ladder: await ladder(repeats) }),
    ...(isWanted('mapping') && { mapping: await mapping(messages, repeats) }),
    ...(isWanted('turns') && { turns: await turns({ perSecond, seconds }) }),
    ...(isWanted('reencryption') && {
      reencryption: await reencryption({ gigabytes, repeats }),
    }),
    ...(isWanted('live-reencryption') && {
      live: await liveReencryption({ perSecond, seconds, repeats }),
    }),
    ...(isWanted('impact') && { impact: await impact({ messages, repeats }) }),
    ...(isWanted('reading') && { reading: await reading({ messages, repeats, seconds }) }),
  }
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ machine, ...results })}\n`)
    return
  }
  process.stdout.write(`cpu ${machine.cpu}, cores ${machine.cores}, node ${machine.node}\n`)
  if (results.cipher !== undefined) process.stdout.write(renderCipher(results.cipher))
  if (results.ladder !== undefined) process.stdout.write(renderLadder(results.ladder))
  if (results.mapping !== undefined) process.stdout.write(renderMapping(results.mapping))
  if (results.turns !== undefined) process.stdout.write(renderTurns(results.turns))
  if (results.reencryption !== undefined) {
    process.stdout.write(renderReencryptionBench(results.reencryption))
  }
  if (results.reading !== undefined) process.stdout.write(renderReading(results.reading))
  if (results.live !== undefined) process.stdout.write(renderLiveReencryption(results.live))
  if (results.impact !== undefined) process.stdout.write(renderImpactBench(results.impact))
}

await main()
