// Which key a transaction is sent with, on which object, and which transactions cannot be made.
const hooks = require('hooks');
const https = require('https');

const { ORIGIN } = process.env;
const BASE = '/api/v1';
const KEYS = {
  read: process.env.KEY_ACME_READ,
  write: process.env.KEY_ACME_WRITE,
  admin: process.env.KEY_ACME_ADMIN,
};
// The credentials that are to get a 401; Dredd has one transaction for it, so the operations take turns.
const REFUSALS = [
  undefined,
  'Bearer sk_live_abc123def456ghi789jkl012mno345',
  `Bearer ${process.env.KEY_ACME_REVOKED}`,
  `Bearer ${process.env.KEY_ACME_EXPIRED}`,
  `Token ${process.env.KEY_ACME_ADMIN}`,
];
let turn = 0;
const ADMIN_ONLY = [/^DELETE /, /\/webhooks/, /\/keys/, /\/organization/];
const MAKE = {
  leads: ['/leads', { name: 'Ada Park' }, 'id'],
  conversations: ['/chat/messages', { message: 'hello' }, 'conversation_id'],
  webhooks: ['/webhooks', { url: 'https://crm.example.com/hook', events: ['lead.created'] }, 'id'],
  keys: ['/keys', { name: 'for Dredd', scope: 'read' }, 'id'],
};

function make([path, body, field], done) {
  const request = https.request(ORIGIN + BASE + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${KEYS.admin}` },
  }, (response) => {
    let text = '';
    response.on('data', (part) => { text += part; });
    response.on('end', () => done(JSON.parse(text)[field]));
  });
  request.on('error', () => done('none'));
  request.end(JSON.stringify(body));
}

hooks.beforeEach((transaction, done) => {
  const status = transaction.expected.statusCode;
  const { method } = transaction.request;
  const [path] = transaction.fullPath.replace(BASE, '').split('?');
  const adminOnly = ADMIN_ONLY.some((rule) => rule.test(`${method} ${path}`));
  let key = adminOnly ? KEYS.admin : method === 'GET' ? KEYS.read : KEYS.write;
  transaction.skip = false;
  delete transaction.request.headers.Authorization;
  switch (status) {
    case '400':
      if (!transaction.request.body) { transaction.skip = true; return done(); }
      transaction.request.body = '{"nobody": "knows this"}';
      break;
    case '403':
      if (!adminOnly && method === 'GET') { transaction.skip = true; return done(); }
      key = adminOnly ? KEYS.write : KEYS.read;
      break;
    case '404':
      transaction.fullPath = transaction.fullPath.replace(/(lead|conv|wf|webhook|key)_\w+/, 'nothing_1');
      break;
    case '409':
    case '429':
      transaction.skip = true;
      return done();
    default:
      // Dredd demands every field of its example, also those that the schema leaves optional.
      if (status.startsWith('2')) delete transaction.expected.body;
  }
  const credential = status === '401' ? REFUSALS[turn++ % REFUSALS.length] : `Bearer ${key}`;
  if (credential) transaction.request.headers.Authorization = credential;
  const [, collection, id] = path.split('/');
  if (id && MAKE[collection] && status !== '404') {
    return make(MAKE[collection], (made) => {
      transaction.fullPath = transaction.fullPath.replace(id, made);
      done();
    });
  }
  return done();
});
