import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { partsDirectory } from '../../../docker/stack/install.ts'
import { runTool } from '../../../docker/stack/run-tool.ts'
import { renderTemplate } from '../../../docker/stack/template.ts'
import { freePort } from '../../../examples/demo/encryptor-config.ts'
import { createKafka } from '../../../src/adapters/kafka/kafka-client.ts'
import { systemClock } from '../../../src/clock.ts'
import { benchEnd } from '../../bench-end.ts'
import type { BenchStack } from '../../bench-stack.ts'

const VERSION = '0.12.0'
const ARTIFACTS = [
  `io.kroxylicious:kroxylicious-runtime:${VERSION}`,
  `io.kroxylicious:kroxylicious-record-encryption:${VERSION}`,
  `io.kroxylicious:kroxylicious-kms-provider-kroxylicious-inmemory:${VERSION}`,
  'org.slf4j:slf4j-simple:2.0.17',
]
const MAIN = fileURLToPath(new URL('./Proxy.java', import.meta.url))
const READY_WITHIN_MS = 60_000
const POLL_MS = 100
/** The id of the broker of the stack. */
const NODE_ID = 1

/** A proxy that runs, and where it stands for the broker. */
export interface RunningProxy {
  readonly pid: number
  /** Where clients begin. */
  readonly bootstrap: string
  /** Where it stands for the one broker. */
  readonly broker: string
}

/** Starts Kroxylicious with its record encryption in front of the broker; fetches it when it is not there. */
export async function startProxy(stack: BenchStack): Promise<RunningProxy> {
  const jars = await installed()
  const [bootstrapPort, brokerPort] = [await freePort(), await freePort()]
  const bootstrap = `127.0.0.1:${bootstrapPort}`
  const folder = join(stack.directory, 'kroxylicious')
  mkdirSync(folder, { recursive: true })
  const [config, logPath] = [join(folder, 'proxy.yaml'), join(folder, 'proxy.log')]
  writeFileSync(config, stringify(configOf(stack, bootstrap, brokerPort)))
  const log = openSync(logPath, 'w')
  // With both compilers, whatever the services have: without the second one its AES is no AES-NI.
  const { JDK_JAVA_OPTIONS: _, ...env } = process.env
  const args = [
    '-Xms256m',
    '-Xmx512m',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    join(jars, '*'),
    MAIN,
    config,
  ]
  const child = spawn('java', args, { detached: true, env, stdio: ['ignore', log, log] })
  closeSync(log)
  const exited = once(child, 'exit')
  stack.defer(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const endMs = performance.now() + READY_WITHIN_MS
  while (!readFileSync(logPath, 'utf8').includes('ready')) {
    if (child.exitCode !== null || performance.now() > endMs) {
      throw new Error(`Kroxylicious does not start: ${readFileSync(logPath, 'utf8').slice(-2000)}`)
    }
    await systemClock.sleep(POLL_MS, benchEnd())
  }
  await introduce(bootstrap)
  return { pid: child.pid ?? 0, bootstrap, broker: `127.0.0.1:${brokerPort}` }
}

/** The proxy learns where brokers are from the answers that pass it, and closes connections until then. */
async function introduce(bootstrap: string): Promise<void> {
  const options = { brokers: [bootstrap], clientId: 'bench', requestTimeoutMs: 30_000 }
  const admin = createKafka(options).admin()
  await admin.connect()
  try {
    await admin.describeCluster()
  } finally {
    await admin.disconnect()
  }
}

function configOf(stack: BenchStack, bootstrapAddress: string, nodeStartPort: number) {
  const encryption = {
    ...{ kms: 'IntegrationTestingKmsService', kmsConfig: { name: 'bench' } },
    ...{ selector: 'TemplateKekSelector', selectorConfig: { template: 'bench' } },
  }
  const nodeIdRanges = [{ name: 'all', start: NODE_ID, end: NODE_ID }]
  return {
    virtualClusters: [
      {
        name: 'bench',
        targetCluster: { bootstrapServers: stack.kafka.brokers.join(',') },
        gateways: [
          {
            name: 'default',
            portIdentifiesNode: { bootstrapAddress, nodeStartPort, nodeIdRanges },
          },
        ],
      },
    ],
    filterDefinitions: [{ name: 'encrypt', type: 'RecordEncryption', config: encryption }],
    defaultFilters: ['encrypt'],
  }
}

/** The folder of its jars. */
async function installed(): Promise<string> {
  const folder = join(partsDirectory(), `kroxylicious-${VERSION}`)
  if (existsSync(folder)) return folder
  process.stderr.write('fetching Kroxylicious\n')
  // Built beside its final place and renamed into it: a folder that has the name is complete.
  const draft = `${folder}.${process.pid}.draft`
  mkdirSync(draft, { recursive: true })
  const dependencies = ARTIFACTS.map((artifact) => {
    const [group, name, version] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  const pom = renderTemplate('maven-pom.xml', { dependencies: dependencies.join('\n    ') })
  writeFileSync(join(draft, 'pom.xml'), pom)
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=.']
  await runTool('fetching Kroxylicious', 'mvn', ['--quiet', '--batch-mode', ...goal], {
    cwd: draft,
  })
  renameSync(draft, folder)
  return folder
}
