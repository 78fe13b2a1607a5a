/** Written by scripts/generate-connector-labels.ts from the connectors themselves; a test compares. */
import type { ConnectorLabel } from './lazy-connector.ts'

export const LABELS: readonly ConnectorLabel[] = [
  {
    name: 'airtable',
    title: 'Airtable',
    description: 'Reads and writes records of Airtable bases.',
    version: '1.0.0',
    prefixes: ['airtable'],
  },
  {
    name: 'file',
    title: 'Files',
    description: 'Reads and writes files of this machine, below one folder.',
    version: '1.0.0',
    prefixes: ['file'],
  },
  {
    name: 'ftp',
    title: 'FTP',
    description: 'Reads and writes files on FTP servers.',
    version: '1.0.0',
    prefixes: ['ftp'],
  },
  {
    name: 'github',
    title: 'GitHub',
    description: 'Issues, pull requests, repositories, releases, search and webhooks of GitHub and GitHub Enterprise.',
    version: '1.0.0',
    prefixes: ['github'],
  },
  { name: 'http', title: 'HTTP', description: 'Calls HTTP APIs and web pages.', version: '1.0.0', prefixes: ['http'] },
  {
    name: 'memcached',
    title: 'memcached',
    description: 'Reads and writes a memcached server, with nothing to install.',
    version: '1.0.0',
    prefixes: ['memcached'],
  },
  {
    name: 'mongodb',
    title: 'MongoDB',
    description: 'Reads and writes collections of MongoDB (4.2 or later) and of servers that speak its protocol.',
    version: '1.0.0',
    prefixes: ['mongo'],
  },
  {
    name: 'mysql',
    title: 'MySQL and MariaDB',
    description: 'Reads and writes MySQL and MariaDB databases.',
    version: '1.0.0',
    prefixes: ['mysql'],
  },
  {
    name: 'postgres',
    title: 'PostgreSQL',
    description: 'Reads and writes PostgreSQL databases.',
    version: '1.0.0',
    prefixes: ['pg'],
  },
  {
    name: 'redis',
    title: 'Redis',
    description:
      'Reads and writes Redis (6.2 or later) and what speaks its protocol: keys, hashes, lists, sets, streams.',
    version: '1.0.0',
    prefixes: ['redis'],
  },
  {
    name: 's3',
    title: 'S3',
    description: 'Reads and writes objects of Amazon S3 and of services with its API.',
    version: '1.0.0',
    prefixes: ['s3'],
  },
  {
    name: 'sftp',
    title: 'SFTP',
    description: 'Reads and writes files on servers that speak SSH.',
    version: '1.0.0',
    prefixes: ['sftp'],
  },
  {
    name: 'slack',
    title: 'Slack',
    description:
      'Messages, channels, users, files, reactions and views of Slack; events, interactions and slash commands.',
    version: '1.0.0',
    prefixes: ['slack'],
  },
  { name: 'smtp', title: 'SMTP', description: 'Sends mail through a server.', version: '1.0.0', prefixes: ['smtp'] },
  {
    name: 'sqlite',
    title: 'SQLite',
    description: 'Reads and writes SQLite databases, with nothing to install.',
    version: '1.0.0',
    prefixes: ['sqlite'],
  },
  {
    name: 'ssh',
    title: 'SSH',
    description: 'Runs commands on other machines and moves files to and from them.',
    version: '1.0.0',
    prefixes: ['ssh'],
  },
  {
    name: 'telegram',
    title: 'Telegram',
    description: 'Messages, files and updates of a Telegram bot.',
    version: '1.0.0',
    prefixes: ['telegram'],
  },
]
