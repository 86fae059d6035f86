import type { Command } from 'commander'
import { stringify } from 'yaml'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { exampleConfig, redactedConfig } from '../../config/pages.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { printable } from '../printable.ts'
import { renderJson, renderWarning } from '../render.ts'
import type { Terminal } from '../terminal.ts'

/** `sealstream config check` and `sealstream config example`. */
export function registerConfig(program: Command, terminal: Terminal): void {
  const config = program
    .command('config')
    .description('Check or begin a configuration file')
    .helpCommand(false)
  withExamples(config, 'sealstream config example > sealstream.yaml', 'sealstream config check')

  const check = config
    .command('check')
    .description('Check the configuration and print it with every default, secrets redacted')
    .option('--json', 'print JSON')
    .action((options: ConfigOption & { readonly json?: true }) => checkConfig(terminal, options))
  withExamples(
    withConfigOption(check),
    'sealstream config check --config sealstream.yaml',
    'sealstream config check --json',
  )

  const example = config
    .command('example')
    .description('Print a configuration file with every key, default and bound')
    .action(() => terminal.out(exampleConfig()))
  withExamples(example, 'sealstream config example > sealstream.yaml')
}

function checkConfig(terminal: Terminal, options: ConfigOption & { readonly json?: true }): void {
  const { env } = terminal
  const file = configFileOf(options.config, env)
  const { config, warnings } = loadConfig({ file, env })
  const shown = redactedConfig(config)
  if (options.json) {
    terminal.out(renderJson({ file, warnings, config: shown }))
    return
  }
  for (const warning of warnings) terminal.err(renderWarning(warning))
  terminal.out(`# ${printable(file)} is fine; with its defaults and the environment it means:\n`)
  terminal.out(stringify(shown))
}
