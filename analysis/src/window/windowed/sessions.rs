//! Sessions, which grow and join one another.

use model::{state::Distinct, window::Sessions};

use super::{Assigned, Group, Known, Times, Windowed};

impl Windowed {
    pub(super) fn assign_sessions(&mut self, times: &Times, keys: &[u32], gap: i64) -> Assigned {
        let (mut rows, mut groups) = (Vec::new(), Vec::new());
        for (row, (time, key)) in times.millis.iter().zip(keys).enumerate() {
            let Some(time) = time else {
                self.without_time += 1;
                continue;
            };
            let group = self.join_session(time, *key, gap);
            // As the worker judges, which does not know what else the session holds.
            let is_late = self.clock.has_closed(time.saturating_add(gap), self.spec.lateness);
            self.count(group, is_late);
            self.late += u64::from(is_late);
            self.clock.observe(time);
            rows.push(row as u32);
            groups.push(group);
        }
        // A session may have been joined to another after its row was assigned.
        groups.iter_mut().for_each(|group| *group = self.alive(*group));
        Assigned { rows: Some(rows), groups }
    }

    fn join_session(&mut self, time: i64, key: u32, gap: i64) -> u32 {
        if self.sessions.len() <= key as usize {
            self.sessions.resize(key as usize + 1, Sessions::new(gap));
        }
        // Only an event that meets no session needs a group of its own; `new` stands for it until then.
        let new = u32::MAX;
        let mut joined = Vec::new();
        let (window, group) = self.sessions[key as usize].insert(time, new, |_, other| {
            if other != new {
                joined.push(other);
            }
        });
        if *group == new {
            *group = self.groups.len() as u32;
            self.groups.push(Group::new(key, Known { window, ends_at: window.end }));
        }
        let group = *group;
        for other in joined {
            self.merge(group, other);
        }
        let row = &mut self.groups[group as usize];
        if row.ends_at != window.end {
            self.open.remove(&(row.ends_at, group));
        }
        (row.window, row.ends_at) = (window, window.end);
        group
    }

    fn merge(&mut self, into: u32, from: u32) {
        let (count, late, told) = {
            let row = &mut self.groups[from as usize];
            row.merged_into = Some(into);
            (row.count, row.late, row.told.take())
        };
        let row = &mut self.groups[into as usize];
        row.count += count;
        row.late += late;
        let key = row.key;
        self.removed.extend(told.map(|told| (told, key)));
        let (into, from) = (into as usize, from as usize);
        for measure in &mut self.measures {
            measure.grow(self.groups.len());
            measure.combine(into, from);
        }
        for sets in &mut self.distinct {
            sets.resize_with(self.groups.len(), Distinct::default);
            let other = sets[from].clone();
            sets[into].combine(&other);
        }
    }

    fn alive(&self, mut group: u32) -> u32 {
        while let Some(into) = self.groups[group as usize].merged_into {
            group = into;
        }
        group
    }
}
