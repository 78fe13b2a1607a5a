/**
 * The command tree: every command with its arguments, options, help and example. What a command does is imported when it
 * runs, so that `plugwork version` does not pay for the server. `docs/cli.md` and the completions are made from this.
 */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { Context } from './context.ts'
import type { ExitCode } from './exit.ts'

/** Code of the error by which `--version` leaves the parser. */
export const VERSION_ASKED = 'plugwork.version'

const ADDED_HELP = new WeakMap<Command, string>()

/** The example of a command, as its help shows it. */
export function exampleOf(command: Command): string | undefined {
  return ADDED_HELP.get(command)
}

type Finish = (code: ExitCode | number) => void

export function createProgram(context: Context, finish: Finish): Command {
  const program = new Command('plugwork')
  const { enabled, bold, dim } = context.style
  program
    .description('Durable integrations and workflows.')
    .configureHelp({
      showGlobalOptions: false,
      minWidthToWrap: 20,
      styleTitle: bold,
      styleCommandText: bold,
      styleOptionTerm: (text) => text,
      styleDescriptionText: (text) => text,
    })
    .configureOutput({
      writeOut: (text) => context.print(text.replace(/\n$/, '')),
      writeErr: (text) => context.note(text.replace(/\n$/, '')),
      getOutHelpWidth: () => Math.min(context.columns, 110),
      getErrHelpWidth: () => Math.min(context.columns, 110),
      getOutHasColors: () => enabled,
      getErrHasColors: () => context.noteStyle.enabled,
      outputError: (text, write) => write(`${context.noteStyle.bad('error')} ${text.replace(/^error: /, '')}`),
    })
    .exitOverride()
    .showHelpAfterError('Run `plugwork help` for what there is.')
    .helpCommand('help [command]', 'Show the help of a command.')
    .option('-V, --version', 'same as `plugwork version`')
    .on('option:version', () => {
      throw new CommanderError(0, VERSION_ASKED, '')
    })

  const add = commandAdder(context, finish, dim)
  addAuthoring(program, add)
  addRunning(program, add)
  addRuns(program, add)
  addConnections(program, add)
  addConnectors(program, add)
  addUpkeep(program, add)
  return program
}

type Handler<Args extends unknown[]> = (context: Context, ...args: Args) => Promise<number>

interface Added {
  readonly usage: string
  readonly summary: string
  readonly example: string
  readonly details?: string
  readonly configure?: (command: Command) => Command
}

type Add = <Args extends unknown[]>(parent: Command, spec: Added, load: () => Promise<Handler<Args>>) => Command

function commandAdder(context: Context, finish: Finish, dim: (text: string) => string): Add {
  return <Args extends unknown[]>(parent: Command, spec: Added, load: () => Promise<Handler<Args>>) => {
    const command = parent
      .command(spec.usage)
      .description(spec.details ? `${spec.summary}\n\n${spec.details}` : spec.summary)
    command.summary(spec.summary)
    spec.configure?.(command)
    withExample(command, spec.example, dim)
    command.action(async (...given: unknown[]) => {
      // Commander adds the command itself as the last argument,
      // and gives arguments and options in the order in which the command declares them.
      const args = given.slice(0, -1) as unknown as Args
      const handler = await load()
      finish(await handler(context, ...args))
    })
    return command
  }
}

function withExample(command: Command, example: string, dim: (text: string) => string): void {
  ADDED_HELP.set(command, example)
  const lines = example.split('\n').map((line) => `  ${line.startsWith('#') ? dim(line) : line}`)
  command.addHelpText('after', `\nExample:\n${lines.join('\n')}`)
}

function group(parent: Command, name: string, summary: string): Command {
  return parent.command(name).description(summary)
}

// Options that several commands share.

const jsonOption = (command: Command): Command => command.option('--json', 'print one JSON document on stdout')

const storeOptions = (command: Command): Command =>
  command
    .option('--data-dir <dir>', 'folder of the embedded store')
    .option(
      '--database-url <url>',
      'PostgreSQL instead; better set PLUGWORK_DATABASE_URL, which no list of processes shows',
    )

/** The project is found from the working directory upward (`plugwork.yaml`). */
const projectOptions = (command: Command): Command =>
  storeOptions(command.option('--project <dir>', 'project folder (default: nearest folder with plugwork.yaml)'))

const inputOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('-i, --input <name=value>', 'an input; typed by the flow, `name=@file` reads a file (repeatable)')
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--inputs <file>', 'all inputs as a JSON object; `-` is stdin')

const progressOptions = (command: Command): Command =>
  command
    .option('--trace', 'show every step with its input, output and duration')
    .option('--cancel-on-interrupt', 'on Ctrl-C cancel the run with compensation instead of leaving it resumable')

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value]
}

function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
    }
    return number
  }
}

function addAuthoring(program: Command, add: Add): void {
  add(
    program,
    {
      usage: 'init [dir]',
      summary: 'Make a new project.',
      example: 'plugwork init shop --template webhook',
      configure: (command) =>
        jsonOption(
          command
            .addOption(
              new Option('--template <name>', 'what to begin with').choices(['basic', 'webhook', 'typescript']),
            )
            .option('--force', 'write into a folder that is not empty; existing files are kept'),
        ),
    },
    async () => (await import('./commands/init.ts')).init,
  )
  add(
    program,
    {
      usage: 'check [paths...]',
      summary: 'Check flows: every problem with its place, before anything runs.',
      details: 'Paths are files or folders; without one the working directory. Exits with 1 when there is an error.',
      example: 'plugwork check\nplugwork check flows/orders.flow.yaml --json',
      configure: (command) => jsonOption(command.option('--no-types', 'leave out the types of plain task functions')),
    },
    async () => (await import('./commands/check.ts')).check,
  )
  add(
    program,
    {
      usage: 'eval <expression>',
      summary: 'Evaluate an expression as a step would.',
      details:
        'With `${ }` the text is read as the value of a key (text around it is kept), without as the expression itself. ' +
        'The top-level keys of the data are the names in scope.',
      example: `echo '{"items":[{"price":12},{"price":5}]}' | plugwork eval 'items.map(i => i.price).sum()' --data -`,
      configure: (command) =>
        jsonOption(
          command
            .option('--data <file>', 'JSON object with the names in scope; `-` is stdin')
            .option('--condition', 'read it as a condition (`if`, `until`): `${x} == 1 and ${y}`'),
        ),
    },
    async () => (await import('./commands/eval.ts')).evaluate,
  )
  add(
    program,
    {
      usage: 'test [paths...]',
      summary: 'Run flow tests: `*.test.yaml` and `*.test.ts` beside flows.',
      details: 'Tasks and actions are faked, waits and retries take no time, nothing is stored. See docs/testing.md.',
      example: 'plugwork test\nplugwork test orders --filter "rejected" --watch\nplugwork test --from-run 0197…',
      configure: (command) =>
        jsonOption(
          projectOptions(
            command
              .option('--filter <text>', 'only cases whose name contains this')
              .option('--update', 'write snapshots that differ or are missing')
              .option('--record', 'send what cases with a `recording` send for real, and write the recordings anew')
              .option('--watch', 'run again when a file changes')
              .option('--junit <file>', 'write a JUnit report')
              .option('--coverage', 'report steps and branches that no case reached')
              .option('--coverage-threshold <percent>', 'fail below this coverage of steps', wholeNumber(0, 100))
              .option('--from-run <id>', 'write a test case with fakes from what a run did'),
          ),
        ),
    },
    async () => (await import('./commands/test.ts')).test,
  )
}

function addRunning(program: Command, add: Add): void {
  add(
    program,
    {
      usage: 'run <file>',
      summary: 'Run a flow in this process and print its outputs.',
      details:
        'The run is stored in the project (.plugwork): kill the process and `plugwork runs resume ID` goes on. A run that ' +
        'parks (approval, event, long wait) is left waiting, exit code 0, and how to go on is printed. Ctrl-C ' +
        'leaves the run resumable (exit code 130).',
      example:
        'plugwork run flow.yaml -i name=Ada -i count=3 --trace\nplugwork run flow.yaml --inputs order.json --json',
      configure: (command) => jsonOption(progressOptions(storeOptions(inputOptions(command)))),
    },
    async () => (await import('./commands/run.ts')).run,
  )
  add(
    program,
    {
      usage: 'start [dir]',
      summary: 'Serve a project: API, webhooks, schedules, and a worker in this process.',
      example: 'plugwork start --port 7420\nPLUGWORK_OWNER_TOKEN=… plugwork start shop --host 0.0.0.0',
      configure: (command) =>
        storeOptions(
          command
            .option('--port <port>', 'port to listen on (7420); 0 takes a free one')
            .option('--host <address>', 'address to listen on (127.0.0.1)')
            .option('--base-url <url>', 'public address, for links that leave the system')
            .addOption(
              new Option('--log-level <level>', 'what is logged').choices(['debug', 'info', 'warn', 'error', 'silent']),
            )
            .addOption(new Option('--log-format <format>', 'how').choices(['json', 'text', 'auto']))
            .option('--concurrency <runs>', 'runs worked on at once')
            .option('--no-watch', 'do not load changed files'),
        ),
    },
    async () => (await import('./commands/start.ts')).start,
  )
}

function addRuns(program: Command, add: Add): void {
  const runs = group(program, 'runs', 'Look at runs and decide about them.')
  const load = async () => import('./commands/runs.ts')
  add(
    runs,
    {
      usage: 'list',
      summary: 'List runs, newest first.',
      example: 'plugwork runs list --status failed --since 1d',
      configure: (command) =>
        jsonOption(
          projectOptions(
            command
              .option('--flow <name>', 'only runs of this flow')
              .addOption(
                new Option('--status <status>', 'only runs in this state (repeatable)')
                  .choices(['queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled'])
                  .argParser(collect)
                  .default([], 'all'),
              )
              .option('--since <when>', 'created since: `1h`, `2d`, or a date')
              .option('--limit <count>', 'how many at most', wholeNumber(1, 1000), 20),
          ),
        ),
    },
    async () => (await load()).list,
  )
  add(
    runs,
    {
      usage: 'show <id>',
      summary: 'Show a run with every step.',
      example: 'plugwork runs show 0197…\nplugwork runs show last --json',
      configure: (command) => jsonOption(projectOptions(command.option('--full', 'do not shorten inputs and outputs'))),
    },
    async () => (await load()).show,
  )
  const acting = (command: Command): Command => jsonOption(projectOptions(progressOptions(command)))
  add(
    runs,
    {
      usage: 'resume <id>',
      summary: 'Go on with a run that an interrupted process left.',
      example: 'plugwork runs resume last',
      configure: acting,
    },
    async () => (await load()).resume,
  )
  add(
    runs,
    {
      usage: 'resolve <id> <step>',
      summary: 'Decide about a step that needs attention: one of --retry, --output, --fail.',
      example: `plugwork runs resolve 0197… charge --output '{"charged":true}'`,
      configure: (command) =>
        acting(
          command
            .addOption(new Option('--retry', 'run it again').conflicts(['output', 'fail']))
            .addOption(
              new Option('--output <json>', 'it has happened: this is its output').conflicts(['retry', 'fail']),
            )
            .addOption(new Option('--fail', 'let it fail with the error `interrupted`').conflicts(['retry', 'output'])),
        ),
    },
    async () => (await load()).resolve,
  )
  add(
    runs,
    {
      usage: 'signal <id> <wait>',
      summary: 'Answer a wait: approve, reject, or deliver data.',
      example: `plugwork runs signal 0197… manager_approval --approve\nplugwork runs signal 0197… payment --data '{"paid":true}'`,
      configure: (command) =>
        acting(
          command
            .addOption(new Option('--approve', 'the outcome is `approved`').conflicts('reject'))
            .addOption(new Option('--reject', 'the outcome is `rejected`').conflicts('approve'))
            .option('--data <json>', 'data of the answer')
            .option('--as <name>', 'who answers'),
        ),
    },
    async () => (await load()).signal,
  )
  add(
    runs,
    {
      usage: 'cancel <id>',
      summary: 'Cancel a run; its compensation (`on_cancel`) runs.',
      example: 'plugwork runs cancel 0197… --reason "ordered twice"',
      configure: (command) =>
        acting(
          command.option('--force', 'interrupt `finally` blocks too').option('--reason <text>', 'why, for the trace'),
        ),
    },
    async () => (await load()).cancel,
  )
  add(
    runs,
    {
      usage: 'retry <id>',
      summary: 'Retry a failed run in place: what completed is kept.',
      example: 'plugwork runs retry 0197…',
      configure: acting,
    },
    async () => (await load()).retry,
  )
  add(
    runs,
    {
      usage: 'replay <id>',
      summary: 'Start a new run from a step of an old one.',
      example: 'plugwork runs replay 0197… --from charge\nplugwork runs replay 0197… --from "loop[3]/send" -i amount=5',
      configure: (command) =>
        acting(
          inputOptions(
            command
              .requiredOption('--from <step>', 'id or path of the step to begin with')
              .option('--step-input <json>', 'replaces the input of that step')
              .option('--same-version', 'on the version of the flow that the old run had'),
          ),
        ),
    },
    async () => (await load()).replay,
  )
  add(
    runs,
    {
      usage: 'verify <id>',
      summary: 'Feed the journal to the engine again and compare with what is stored.',
      example: 'plugwork runs verify 0197…',
      configure: (command) => jsonOption(projectOptions(command)),
    },
    async () => (await load()).verify,
  )
}

function addConnections(program: Command, add: Add): void {
  const connection = group(program, 'connection', 'Connectors and stored connections.')
  const load = async () => import('./commands/connection.ts')
  add(
    connection,
    {
      usage: 'list',
      summary: 'List connectors, and the connections that are stored.',
      example: 'plugwork connection list\nplugwork connection list --stored --json',
      configure: (command) => jsonOption(projectOptions(command.option('--stored', 'only what is stored'))),
    },
    async () => (await load()).list,
  )
  add(
    connection,
    {
      usage: 'info <name>',
      summary: 'Show config and actions of a connector.',
      example: 'plugwork connection info http',
      configure: jsonOption,
    },
    async () => (await load()).info,
  )
  add(
    connection,
    {
      usage: 'deps <name>',
      summary: 'Show the packages that a connector needs.',
      example: 'plugwork connection deps sqlite --check',
      configure: (command) =>
        jsonOption(
          command
            .option('--check', 'exit with 1 when one is missing, or of a version that was not tested')
            .option('--install', 'install what is missing into the project'),
        ),
    },
    async () => (await import('./commands/connection-deps.ts')).deps,
  )
  add(
    connection,
    {
      usage: 'scaffold <name>',
      summary: "Print a connection for a flow's `connections:`.",
      example: 'plugwork connection scaffold sqlite --name shop',
      configure: (command) => command.option('--name <name>', 'name of the connection'),
    },
    async () => (await load()).scaffold,
  )
  add(
    connection,
    {
      usage: 'example <name>',
      summary: 'Print a complete example flow, or write it.',
      example: 'plugwork connection example sqlite --output examples/shop',
      configure: (command) =>
        command.option('--name <name>', 'name of the connection').option('--output <dir>', 'folder to write it to'),
    },
    async () => (await load()).example,
  )
  addStoredConnections(connection, add)
}

function addStoredConnections(connection: Command, add: Add): void {
  add(
    connection,
    {
      usage: 'add <connector>',
      summary: 'Store a connection, once its service has said that it works.',
      details:
        'Settings are arguments; credentials never are. They are asked for without echo, or come from stdin (`-`), a variable ' +
        '(`env:NAME`) or a file (`file:PATH`), and are kept encrypted. Flows use it with `use: NAME`. Works beside a running server.',
      example:
        'plugwork connection add github --name work-github\n' +
        'plugwork connection add postgres --name orders --set host=db.example.com --set user=app --credential password=env:PGPASSWORD\n' +
        'pass show github | plugwork connection add github --credential token=-',
      configure: (command) =>
        jsonOption(
          projectOptions(
            signInOptions(
              command
                .option('--name <name>', 'name of the connection', 'default')
                .option('--method <method>', 'way to authenticate (default: the first of the connector)')
                .addOption(settingOption())
                .addOption(
                  new Option('--credential <key=source>', '`key=-`, `key=env:NAME` or `key=file:PATH` (repeatable)')
                    .argParser(collect)
                    .default([], 'none'),
                )
                .option('--replace', 'give the connection of this name a new credential and settings')
                .option('--no-test', 'do not ask the service whether it works'),
            ),
          ),
        ),
    },
    async () => (await import('./commands/connection-add.ts')).add,
  )
  add(
    connection,
    {
      usage: 'test <name>',
      summary: 'Ask the service whether a stored connection works.',
      example: 'plugwork connection test work-github\nplugwork connection test github/default --json',
      configure: (command) => jsonOption(projectOptions(command)),
    },
    async () => (await import('./commands/connection-test.ts')).test,
  )
  add(
    connection,
    {
      usage: 'login <target>',
      summary: 'Sign in to a service (OAuth): for a stored connection again, or, given a connector, for a new one.',
      details:
        'A browser comes back to a server of this command on 127.0.0.1; with --device a code is entered in any browser. The OAuth ' +
        'app is the setting `connectors`, or PLUGWORK_GITHUB_CLIENT_ID and PLUGWORK_GITHUB_CLIENT_SECRET.',
      example: 'plugwork connection login github --name work-github\nplugwork connection login work-github --device',
      configure: (command) =>
        jsonOption(
          projectOptions(
            signInOptions(
              command
                .option('--name <name>', 'name of a new connection', 'default')
                .option('--method <method>', 'way to authenticate (default: the first that a person signs in with)')
                .addOption(settingOption()),
            ),
          ),
        ),
    },
    async () => (await import('./commands/connection-login.ts')).login,
  )
  add(
    connection,
    {
      usage: 'remove <name>',
      summary: 'Revoke a stored connection at its service and delete it.',
      example: 'plugwork connection remove work-github',
      configure: (command) => jsonOption(projectOptions(command)),
    },
    async () => (await import('./commands/connection-remove.ts')).remove,
  )
}

const settingOption = (): Option =>
  new Option('--set <key=value>', 'a setting of the connector; no secrets (repeatable)')
    .argParser(collect)
    .default([], 'none')

const signInOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--scope <scope>', 'ask for this scope instead of the usual ones (repeatable)').argParser(
        (value: string, before: readonly string[] | undefined) => collect(value, before ?? []),
      ),
    )
    .option(
      '--port <port>',
      'port on 127.0.0.1 that the browser comes back to; 0 takes a free one',
      wholeNumber(0, 65_535),
      0,
    )
    .option('--device', 'sign in with a code, where the service knows that')
    .option('--no-browser', 'print the address and open nothing')

function addConnectors(program: Command, add: Add): void {
  const connector = group(program, 'connector', 'Write connectors of your own.')
  add(
    connector,
    {
      usage: 'new <name>',
      summary: 'Make a package with a connector, its tests and an example flow.',
      details: 'The name is the `type` of its connections: small letters, digits and `_`. See docs/connectors.md.',
      example: 'plugwork connector new my_service --template api',
      configure: (command) =>
        jsonOption(
          command
            .option('--dir <dir>', 'folder to make (plugwork-connector-NAME)')
            .addOption(
              new Option('--template <name>', '`api`: a JSON HTTP API; `client`: a client or protocol of its own')
                .choices(['api', 'client'])
                .default('api'),
            ),
        ),
    },
    async () => (await import('./commands/connector-new.ts')).connectorNew,
  )
}

function addUpkeep(program: Command, add: Add): void {
  add(
    program,
    {
      usage: 'doctor [dir]',
      summary: 'Check machine, project and store, and show the settings in force.',
      example: 'plugwork doctor',
      configure: (command) => jsonOption(storeOptions(command)),
    },
    async () => (await import('./commands/doctor.ts')).doctor,
  )
  add(
    program,
    {
      usage: 'migrate',
      summary: 'Bring the store to the version of this build.',
      example: 'plugwork migrate --data-dir /var/lib/plugwork',
      configure: (command) => jsonOption(projectOptions(command)),
    },
    async () => (await import('./commands/migrate.ts')).migrate,
  )
  const keys = group(program, 'keys', 'The key ring: what it protects, and its rotation.')
  add(
    keys,
    {
      usage: 'status',
      summary: 'Show the keys, and what is still encrypted with old ones.',
      example: 'plugwork keys status',
      configure: (command) => jsonOption(projectOptions(command)),
    },
    async () => (await import('./commands/keys.ts')).status,
  )
  add(
    keys,
    {
      usage: 'rotate',
      summary: 'Make a new key and wrap all data keys with it, also while a server works.',
      details:
        'Credentials themselves are not touched. An interrupted rotation goes on when the command is run again. With ' +
        'PLUGWORK_KEYS the new key is put there by you, in front.',
      example: 'plugwork keys rotate\nplugwork keys rotate --batch 1000 --json',
      configure: (command) =>
        jsonOption(
          projectOptions(command.option('--batch <count>', 'data keys read at a time (200)', wholeNumber(1, 10_000))),
        ),
    },
    async () => (await import('./commands/keys.ts')).rotate,
  )
  add(
    program,
    {
      usage: 'backup <target>',
      summary: 'Copy store and blobs into a new folder, also while a server works.',
      example: 'plugwork backup backups/2026-01-31',
      configure: (command) => jsonOption(projectOptions(command.option('--with-keys', 'copy the key ring too'))),
    },
    async () => (await import('./commands/backup.ts')).backup,
  )
  add(
    program,
    {
      usage: 'restore <source>',
      summary: 'Put a backup in place of the store.',
      example: 'plugwork restore backups/2026-01-31 --force',
      configure: (command) => jsonOption(projectOptions(command.option('--force', 'replace a store that is there'))),
    },
    async () => (await import('./commands/backup.ts')).restore,
  )
  add(
    program,
    {
      usage: 'version',
      summary: 'Print version, build, Node and storage.',
      example: 'plugwork version --json',
      configure: jsonOption,
    },
    async () => (await import('./commands/version.ts')).version,
  )
  add(
    program,
    {
      usage: 'completions',
      summary: 'Print completions for a shell.',
      example:
        '# in ~/.bashrc\nsource <(plugwork completions bash)\n# in ~/.zshrc\nsource <(plugwork completions zsh)\n# fish\nplugwork completions fish > ~/.config/fish/completions/plugwork.fish',
      configure: (command) => command.addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish'])),
    },
    async () => {
      const { completions } = await import('./commands/completions.ts')
      return (context: Context, shell: string) => completions(context, shell, program)
    },
  )
}
