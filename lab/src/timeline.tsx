/** The timeline: each change, the newest first, and the ways back. */

import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Adopt } from './drift';
import { Problem, Two, timeText } from './parts';
import { IRecord, Status } from './schema';
import { ITabProps } from './tabs';
import { Windowed } from './windowed';

const ROW = 48;

export function Timeline(props: ITabProps) {
  const { kernel, trans } = props;
  const [selected, setSelected] = React.useState('');
  const records = React.useMemo(() => [...kernel.history].reverse(), [kernel.history]);
  const chosen = records.find(record => record.id === selected);
  return (
    <>
      <Adopt {...props} />
      {records.length === 0 && <p>{trans.__('Nothing is recorded yet.')}</p>}
      <Windowed
        items={records}
        height={ROW}
        label={trans.__('Changes, the newest first')}
        keyOf={record => record.id}
        selected={selected}
        onSelect={setSelected}
      >
        {record => <Row record={record} trans={trans} />}
      </Windowed>
      {chosen && (
        <section tabIndex={0} className="jp-jstackmagic-why" aria-label={trans.__('The chosen change')}>
          <h3>{whatOf(chosen)}</h3>
          {chosen.commands.map((command, at) => (
            <code key={at} className="jp-jstackmagic-command">
              $ {command}
            </code>
          ))}
          {chosen.notes.map((note, at) => (
            <p key={at}>{note}</p>
          ))}
          {chosen.outcome?.message && (
            <Problem problem={{ problem: chosen.outcome.message, kept: '', advice: [] }} />
          )}
          {chosen.taken_back_by && <p>{trans.__('Taken back by %1.', chosen.taken_back_by)}</p>}
          <div className="jp-jstackmagic-buttons">
            <button
              className="jp-mod-styled"
              title={`%envundo --to ${chosen.id} --dry-run`}
              onClick={() => void kernel.plan('undo', ['--to', chosen.id])}
            >
              {trans.__('Undo to here …')}
            </button>
            {!chosen.taken_back_by && (
              <button
                className="jp-mod-styled"
                title={`%envundo ${chosen.id} --dry-run`}
                onClick={() => void kernel.plan('undo', [chosen.id])}
              >
                {trans.__('Undo this …')}
              </button>
            )}
          </div>
        </section>
      )}
    </>
  );
}

function Row({ record, trans }: { record: IRecord; trans: TranslationBundle }) {
  const notebook = record.context.notebook.split('/').pop();
  return (
    <Two>
      {whatOf(record)}
      <span className="jp-jstackmagic-status" data-status={record.status}>
        {statusText(record.status, trans)}
        {record.taken_back_by && `, ${trans.__('taken back')}`}
      </span>
      {[timeText(record.time), notebook].filter(Boolean).join(' · ')}
      {record.request.manager}
    </Two>
  );
}

/** What was asked, in words. */
export function whatOf(record: IRecord): string {
  const { action, specs } = record.request;
  return specs.length ? `${action} ${specs.join(' ')}` : record.commands.join(' ') || action;
}

function statusText(status: Status, trans: TranslationBundle): string {
  const words: { [status in Status]: string } = {
    ok: trans.__('ok'),
    failed: trans.__('failed'),
    interrupted: trans.__('interrupted'),
    running: trans.__('running'),
    planned: trans.__('planned'),
    found: trans.__('found'),
    seen: trans.__('seen')
  };
  return words[status] ?? status;
}
