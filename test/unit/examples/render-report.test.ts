import { expect, test } from 'vitest'
import { keptHints } from '../../../examples/demo/kept-hints.ts'
import { renderReport } from '../../../examples/demo/render-report.ts'
import type { DemoReport } from '../../../examples/demo/report.ts'
import type { SealFigures } from '../../../examples/demo/seal-load.ts'

const DEK_ID = '913301b0-0322-47ee-8226-84b25ee5672f'
const plain = (_: string, text: string) => text

const flights: SealFigures = {
  topic: 'flights',
  messages: 200_000,
  bytes: 9_663_891,
  sealSeconds: 5.07,
  messagesPerSecond: 39_447.7,
  bytesPerSecond: 1_906_093,
  objects: 20,
  deks: 5,
  kmsCalls: 6,
  sealPart: { p50Ms: 12.34, p95Ms: 48, p99Ms: 1_250 },
  uploadPart: { p50Ms: 3, p95Ms: 4, p99Ms: 5 },
  mapPart: null,
  visible: { p50Ms: 1_000, p95Ms: 2_000, p99Ms: 12_345 },
  cpuMicrosPerMessage: { encryptor: 21.04, kafka: 1.2 },
}

const report: DemoReport = {
  machine: { cores: 2, node: '24.21.0', platform: 'linux x64' },
  loads: [{ ...flights, topic: 'mails', messages: 6_046 }, flights],
  readBack: {
    expected: 206_046,
    seen: 206_046,
    missing: [],
    doubled: [],
    unequal: [],
    seconds: 4.2,
    messagesPerSecond: 49_058,
  },
  impact: { dekId: DEK_ID, messages: 50_000, objects: 4, bytes: 12_000_000, references: 50_000 },
  plaintext: { samples: 96, files: 412, bytes: 130_000_000, hits: 0, controlHits: 96 },
  keyBytes: { keys: 6, files: 420, hits: 0 },
  elapsedSeconds: 61.3,
}

test('the report has a column a topic and says every finding, plain without a terminal', () => {
  const lines = renderReport(report, plain)
  const text = lines.join('\n')
  const rate = lines.find((line) => line.trim().startsWith('rate'))
  expect(rate).toMatch(/^ {2}rate +39,448 msg\/s +39,448 msg\/s$/)
  expect(text).toMatch(/seal a part +12\.3 \/ 48\.0 \/ 1,250/)
  expect(text).toMatch(/map a part +- +-/)
  expect(text).toMatch(/kafka +1\.2 +1\.2/)
  expect(text).toContain('206,046 of 206,046 messages once each, every byte equal')
  expect(text).toContain(DEK_ID)
  expect(text).toContain('50,000 messages in 4 objects')
  expect(text).toContain('0 of 96 samples found')
  expect(text).toContain('0 of 6 data keys found in 420 files')
  expect(text).not.toContain('\u001b')
})

test('no line of the report is wider than 100 columns or ends in blanks', () => {
  for (const line of renderReport(report, plain)) {
    expect(line.length, line).toBeLessThanOrEqual(100)
    expect(line).toBe(line.trimEnd())
  }
})

test('what could not be measured is said and not shown as zero', () => {
  const bare: DemoReport = {
    ...report,
    loads: [{ ...flights, cpuMicrosPerMessage: null }],
    plaintext: { ...report.plaintext, controlHits: null },
  }
  const text = renderReport(bare, plain).join('\n')
  expect(text).toContain('not measured here')
  expect(text).toContain('only logs were searched')
})

test('a kept demo shows every address and commands with the paths from where the user is', () => {
  const access = { region: 'r', accessKeyId: 'local-user', secretAccessKey: 'local-secret' }
  const text = keptHints({
    endpoints: {
      kafka: { brokers: ['127.0.0.1:1'] },
      cassandra: { contactPoints: ['127.0.0.1:2'], localDatacenter: 'datacenter1' },
      s3: { ...access, endpoint: 'http://127.0.0.1:3', bucket: 'sealed' },
      kms: { ...access, endpoint: 'http://127.0.0.1:4', keyId: 'key' },
      processes: { kafka: 1, cassandra: 2, s3: 3, kms: 4 },
      directory: '/home/me/.stack/demo',
    },
    configPath: '/home/me/.stack/demo/encryptor/sealstream.yaml',
    httpPort: 5,
    topics: ['mails', 'flights'],
    dekId: DEK_ID,
    workingDirectory: '/home/me',
  }).join('\n')
  for (const port of [1, 2, 3, 4, 5]) expect(text).toContain(`127.0.0.1:${port}`)
  expect(text).toContain('export SEALSTREAM_CONFIG=.stack/demo/encryptor/sealstream.yaml')
  expect(text).toContain('read flights -n 3')
  expect(text).toContain(`impact --dek ${DEK_ID}`)
  expect(text).toContain('npm run demo -- --stop')
  expect(text).not.toContain('local-secret')
})
