import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { cipher, renderCipher } from './cipher.ts'
import { ladder } from './ladder.ts'
import { renderLadder } from './measure.ts'

const HELP = `Usage: npm run bench [-- [cipher] [ladder] [--repeats N] [--json]]

CPU microseconds a message, over all threads of the process; median of the repeats, with their
spread. Without a name, both run. No service is needed.

  cipher   sealing and opening one frame: our engines beside node:crypto with raw key bytes,
           WebCrypto and the AWS Encryption SDK, at 100 B, 1 KiB, 16 KiB and 1 MiB
  ladder   decoding, packing, and a worker's share of a part; each line adds one stage

Examples:
  $ npm run bench
  $ npm run bench -- cipher --repeats 15
  $ npm run bench -- ladder --json
`
const BENCHES = ['cipher', 'ladder']
const USAGE_EXIT_CODE = 2

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      repeats: { type: 'string', default: '9' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  })
  if (values.help) {
    process.stdout.write(HELP)
    return
  }
  const repeats = Number(values.repeats)
  const unknown = positionals.filter((name) => !BENCHES.includes(name))
  if (unknown.length > 0 || !Number.isInteger(repeats) || repeats < 1) {
    const wrong = unknown.length > 0 ? `no benchmark ${unknown.join(', ')}` : 'bad --repeats'
    process.stderr.write(`${wrong}\n\n${HELP}`)
    process.exitCode = USAGE_EXIT_CODE
    return
  }
  const isWanted = (name: string) => positionals.length === 0 || positionals.includes(name)
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }
  const results = {
    ...(isWanted('cipher') && { cipher: await cipher(repeats) }),
    ...(isWanted('ladder') && { ladder: await ladder(repeats) }),
  }
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ machine, ...results })}\n`)
    return
  }
  process.stdout.write(`cpu ${machine.cpu}, cores ${machine.cores}, node ${machine.node}\n`)
  if (results.cipher !== undefined) process.stdout.write(renderCipher(results.cipher))
  if (results.ladder !== undefined) process.stdout.write(renderLadder(results.ladder))
}

await main()
