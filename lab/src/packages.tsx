/** The environment: the facts, and what was added beyond the image. */

import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Two, sizeText, timeText } from './parts';
import { IDifference, IEnvironment, IPackage, IRecord } from './schema';
import { ITabProps } from './tabs';
import { whatOf } from './timeline';
import { Windowed } from './windowed';

const ROW = 44;

export function Environment({ kernel, trans }: ITabProps) {
  const [query, setQuery] = React.useState('');
  const [selected, setSelected] = React.useState('');
  const records = React.useMemo(
    () => new Map(kernel.history.map(record => [record.id, record])),
    [kernel.history]
  );
  const added = React.useMemo(
    () => kernel.drifts.flatMap(drift => drift.differences.filter(each => each.now)),
    [kernel.drifts]
  );
  const shown = React.useMemo(
    () => added.filter(each => each.now!.name.toLowerCase().includes(query.toLowerCase())),
    [added, query]
  );
  const chosen = shown.find(each => keyOf(each) === selected);
  return (
    <>
      <Facts environment={kernel.info!.environments[0]} trans={trans} />
      <h3>
        {trans._n('%1 package beyond the image', '%1 packages beyond the image', added.length)}
      </h3>
      <input
        className="jp-mod-styled"
        type="search"
        value={query}
        aria-label={trans.__('Search the packages')}
        placeholder={trans.__('Search')}
        onChange={event => setQuery(event.target.value)}
      />
      {!shown.length && <p>{added.length ? trans.__('No package has that in its name.') : trans.__('Nothing was added yet.')}</p>}
      <Windowed
        items={shown}
        height={ROW}
        label={trans.__('Packages beyond the image')}
        keyOf={keyOf}
        selected={selected}
        onSelect={setSelected}
      >
        {each => <Row difference={each} record={records.get(each.record)} trans={trans} />}
      </Windowed>
      {chosen && <Why difference={chosen} every={added} records={records} trans={trans} />}
    </>
  );
}

function keyOf(difference: IDifference): string {
  return key(difference.now ?? difference.before!);
}

function key(each: IPackage): string {
  return `${each.manager}:${each.name}`;
}

function Facts({ environment, trans }: { environment: IEnvironment; trans: TranslationBundle }) {
  const may = environment.frozen !== null
    ? trans.__('nothing: it is frozen')
    : environment.writable
      ? trans.__('install, remove, undo')
      : trans.__('nothing: it is not writable');
  return (
    <dl className="jp-jstackmagic-facts">
      {Object.entries(environment.engines).map(([manager, by]) => (
        <React.Fragment key={manager}>
          <dt>{trans.__('%1 by', manager)}</dt>
          <dd title={by.why}>{by.engine ?? trans.__('nobody: %1', by.why)}</dd>
        </React.Fragment>
      ))}
      <dt>{trans.__('Allowed here')}</dt>
      <dd>{may}</dd>
    </dl>
  );
}

function Row(props: { difference: IDifference; record?: IRecord; trans: TranslationBundle }) {
  const { difference, record, trans } = props;
  const now = difference.now!;
  const by = !record
    ? trans.__('no record')
    : now.requested
      ? trans.__('asked for in %1', record.context.notebook.split('/').pop() || record.id)
      : trans.__('came with %1', record.request.specs.join(' ') || record.id);
  return (
    <Two>
      {now.name}
      {now.version}
      {`${now.manager}, ${by}`}
      {sizeText(now.size)}
    </Two>
  );
}

function Why(props: {
  difference: IDifference;
  every: IDifference[];
  records: Map<string, IRecord>;
  trans: TranslationBundle;
}) {
  const { difference, every, records, trans } = props;
  const byName = React.useMemo(() => new Map(every.map(each => [keyOf(each), each])), [every]);
  return (
    <section tabIndex={0} className="jp-jstackmagic-why" aria-label={trans.__('Why it is here')}>
      <h3>{trans.__('Why %1 is here', difference.now!.name)}</h3>
      <ul>
        <Reasons key={keyOf(difference)} difference={difference} {...{ byName, records, trans }} above={[]} />
      </ul>
    </section>
  );
}

function Reasons(props: {
  difference: IDifference;
  byName: Map<string, IDifference>;
  records: Map<string, IRecord>;
  trans: TranslationBundle;
  above: string[];
}): React.ReactElement {
  const { difference, byName, records, trans, above } = props;
  const record = records.get(difference.record);
  const now = difference.now!;
  const here = keyOf(difference);
  return (
    <>
      {(now.requested || !difference.needed_by.length) && (
        <li>
          {record
            ? now.requested
              ? trans.__('asked for: %1', whatOf(record))
              : trans.__('came with: %1', whatOf(record))
            : trans.__('no record says who asked for it')}
          {record && ` (${record.id}, ${timeText(record.time)})`}
        </li>
      )}
      {difference.needed_by.map(other => {
        const upper = byName.get(other);
        const isLoop = above.includes(other);
        return (
          <li key={other}>
            {trans.__('needed by %1', other.slice(other.indexOf(':') + 1))}
            {upper && !isLoop && (
              <ul>
                <Reasons difference={upper} {...{ byName, records, trans }} above={[...above, here]} />
              </ul>
            )}
          </li>
        );
      })}
    </>
  );
}
