# SPDX-License-Identifier: MIT
# What the benchmark's points say: medians over the rounds, ratios against references, tables, JSON.
# A run is what tests/bench/guest.sh left for one workload in one boot: points, plan, settings, fio/.
package Analysis;
use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(dirname);
use JSON::PP ();
our @EXPORT_OK = qw(median parse_workload size_of read_fio read_run summarize table reference_of confidence human
	results_json copies_of);

# A candidate is compared with the kernel's own answer to the same need, and with our plain copy path.
my %reference = (null => 'null_blk', file => 'loop-direct', mem => 'loop-tmpfs');

# Times that a byte is copied by a data path or another candidate, from the table beside this file.
my %copies;

sub copies_of { # PATH TARGET PATTERN
	my ($path, $target, $pattern) = @_;
	if (!%copies) {
		my $table = dirname(__FILE__) . '/copies';
		for (split /\n/, slurp($table) // die "$table: $!\n") {
			my ($p, $t, @n) = split;
			$copies{$p}{$t} = \@n if @n == 2 && $p ne '#';
		}
	}
	$path =~ s/\+batch$//;
	my $n = $copies{$path}{$target} or return undef;
	return $pattern =~ /write/ ? $n->[1] + 0 : $pattern =~ /read/ ? $n->[0] + 0 : ($n->[0] + $n->[1]) / 2;
}

sub reference_of { return $reference{ $_[0] } }

sub median {
	my @v = sort { $a <=> $b } grep { defined } @_;
	return undef unless @v;
	my $mid = int(@v / 2);
	return @v % 2 ? $v[$mid] : ($v[ $mid - 1 ] + $v[$mid]) / 2;
}

sub size_of {
	my ($number, $unit) = $_[0] =~ /^(\d+)([km]?)$/ or return undef;
	return $number * ($unit eq 'k' ? 1024 : $unit eq 'm' ? 1048576 : 1);
}

# TARGET-BLOCK-PATTERN-dDEPTH[-jJOBS][-qQUEUES]
sub parse_workload {
	my ($name) = @_;
	my ($target, $bs, $pattern, @rest) = split /-/, $name;
	my %w = (name => $name, target => $target, block => size_of($bs), block_name => $bs,
		pattern => $pattern, depth => 1, jobs => 1, queues => 1);
	my %key = (d => 'depth', j => 'jobs', q => 'queues');
	for (@rest) {
		$w{ $key{$1} } = $2 + 0 if /^([djq])(\d+)$/;
	}
	return \%w;
}

# What fio measured: { CANDIDATE => [ one hash per turn ] }. Latencies are in microseconds, from
# submission to completion as the application sees it.
sub read_fio {
	my ($text) = @_;
	$text =~ s/^[^{]*//;    # warnings come before the document
	my $doc = JSON::PP->new->utf8->decode($text);
	my %points;
	for my $job (@{ $doc->{jobs} }) {
		my ($m, $lat) = ($job->{mixed}, $job->{mixed}{lat_ns});
		next if $job->{error} || !$m->{total_ios};
		my %p = (iops => $m->{iops}, bandwidth => $m->{bw_bytes}, mean_us => $lat->{mean} / 1000);
		for my $q (keys %{ $lat->{percentile} || {} }) {
			$p{percentiles}{ $q + 0 } = $lat->{percentile}{$q} / 1000;
		}
		push @{ $points{ $job->{jobname} } }, \%p;
	}
	return \%points;
}

sub slurp {
	my ($file) = @_;
	open my $f, '<', $file or return undef;
	local $/;
	return scalar <$f>;
}

# All that is known of one workload in one boot.
sub read_run {
	my ($dir) = @_;
	my %run = (points => {}, skipped => {}, order => [], settings => {}, server => {}, problems => []);
	my $text = slurp("$dir/points") // die "$dir/points: $!\n";
	for (split /\n/, slurp("$dir/plan") // '') {
		my ($w, $c, @how) = split;
		$run{workload} = parse_workload($w);
		push @{ $run{order} }, $c;
		$run{how}{$c} = "@how";
	}
	%{ $run{settings} } = (slurp("$dir/settings") // '') =~ /(\w+)=(\S+)/g;
	$run{machine} = $run{settings}{machine} // 'unknown';
	$run{label} = $1 if $dir =~ m{([^/]+)/[^/]+/*$};
	for (split /\n/, $text) {
		if (/^(kernel|cpus|fio|engine) (.*)/) {
			$run{$1} = $2;
		} elsif (/^skip (\S+) (.*)/) {
			$run{skipped}{$1} = $2;
		} elsif (/^problem (.*)/) {
			push @{ $run{problems} }, $1;
		} elsif (/^server (\S+)(.*)/) {
			my ($c, $rest) = ($1, $2);
			$run{server}{$c} = { $rest =~ /(\w+)=(\S+)/g };
		}
	}
	my $json = slurp("$dir/fio.json");
	$run{points} = eval { read_fio($json) } // {} if defined $json;
	push @{ $run{problems} }, "fio's output cannot be read: $@" if $@;
	return \%run;
}

# The medians of each candidate over its turns. A ratio is the median of the ratios of the turns, as
# turns of one round are neighbours in time.
sub summarize {
	my ($run) = @_;
	my ($target, $block) = @{ $run->{workload} }{qw(target block)};
	my (@rows, %row_of);
	for my $c (@{ $run->{order} }) {
		my $points = $run->{points}{$c};
		my %row = (name => $c);
		if (!$points) {
			push @rows, { %row, skipped => $run->{skipped}{$c} // 'not run' };
			next;
		}
		$row{rounds} = @$points;
		for my $m (qw(iops bandwidth mean_us)) {
			$row{$m} = median(map { $_->{$m} } @$points);
		}
		for my $q (keys %{ $points->[0]{percentiles} || {} }) {
			$row{percentiles}{$q} = median(map { $_->{percentiles}{$q} } @$points);
		}
		my $server = $run->{server}{$c} || {};
		my $ios = ($server->{sectors} // 0) * 512 / $block;
		$row{server_us} = $server->{cpu_ns} / $ios / 1000 if $ios && defined $server->{cpu_ns};
		$row{enters} = $server->{enters_per_io} + 0 if defined $server->{enters_per_io};
		$row{path} = $server->{path} if defined $server->{path};
		$row{idle_percent} = $server->{idle_ns} / 2e9 * 100 if defined $server->{idle_ns};
		my $bytes = ($run->{how}{$c} // '') =~ /fill=none/ ? "$target-nofill" : $target;
		$row{copies} = copies_of($row{path} // $c, $bytes, $run->{workload}{pattern});
		push @rows, \%row;
		$row_of{$c} = \%row;
	}
	my %against = (reference => reference_of($target) // '', copy => 'copy');
	for my $row (grep { !$_->{skipped} } @rows) {
		for my $key (keys %against) {
			my $base = $row_of{ $against{$key} } or next;
			@$row{"vs_$key", "vs_${key}_error"} =
				paired_ratio($run->{points}{ $row->{name} }, $run->{points}{ $base->{name} });
		}
		my $copy = $row_of{copy} or next;
		$row->{server_vs_copy} = $row->{server_us} / $copy->{server_us}
			if $copy->{server_us} && defined $row->{server_us};
	}
	return \@rows;
}

# (median, half width of its 95 % confidence interval) of the ratios of IOPS, turn by turn.
sub paired_ratio {
	my ($points, $base) = @_;
	my $last = @$points < @$base ? $#$points : $#$base;
	my @ratios = map { $points->[$_]{iops} / $base->[$_]{iops} } grep { $base->[$_]{iops} } 0 .. $last;
	return (median(@ratios), confidence(@ratios));
}

# Half the distance between the order statistics that hold the median with 95 % probability, whatever
# the distribution; nothing for fewer than six values.
sub confidence {
	my @v = sort { $a <=> $b } @_;
	my ($n, $k, $term, $below) = (scalar @v, 0, 0.5**@v, 0);
	while (($below += $term) <= 0.025) {
		$term *= ($n - $k) / ($k + 1);
		$k++;
	}
	return $k ? ($v[ $n - $k ] - $v[ $k - 1 ]) / 2 : undef;
}

sub human {
	my ($n) = @_;
	return '-' unless defined $n;
	return sprintf '%.1fM', $n / 1e6 if $n >= 1e6;
	return sprintf '%.1fk', $n / 1e3 if $n >= 1e4;
	return sprintf '%.0f', $n if $n >= 100;
	return sprintf '%.1f', $n;
}

sub cell { return defined $_[1] ? sprintf($_[0], $_[1]) : '-' }

sub name_of { # with the path that auto took
	my ($row) = @_;
	my $path = $row->{path} // '';
	return $row->{name} =~ /^auto(?!-buf)/ && $path ? "$row->{name}: $path" : $row->{name};
}

# One workload as a table for people, ratios first.
sub table {
	my ($run, $rows) = @_;
	my $ref = reference_of($run->{workload}{target});
	my @head = ('candidate', "x $ref", '+-', 'x copy', '+-', 'IOPS', 'MB/s', 'mean us', 'p50 us', 'p99 us',
		'server us/io', 'CPU x copy', 'enters/io', 'copies', 'idle CPU');
	my @lines = (\@head);
	for my $r (grep { !$_->{skipped} } @$rows) {
		push @lines, [
			name_of($r), cell('%.2f', $r->{vs_reference}), cell('%.2f', $r->{vs_reference_error}),
			cell('%.2f', $r->{vs_copy}), cell('%.2f', $r->{vs_copy_error}), human($r->{iops}),
			human($r->{bandwidth} / 1e6), map({ human($_) } $r->{mean_us}, @{ $r->{percentiles} }{ 50, 99 }),
			cell('%.2f', $r->{server_us}), cell('%.2f', $r->{server_vs_copy}), cell('%.3f', $r->{enters}),
			cell('%.3g', $r->{copies}), cell('%.1f%%', $r->{idle_percent})
		];
	}
	my @width;
	for my $l (@lines) {
		for my $i (0 .. $#$l) {
			$width[$i] = length $l->[$i] if !$width[$i] || length $l->[$i] > $width[$i];
		}
	}
	my $out = sprintf "%s, Linux %s (%s), %d rounds of %s ms, fio with %s\n", $run->{workload}{name},
		$run->{kernel} // '?', $run->{label} // '?', $run->{settings}{rounds} // 0,
		$run->{settings}{slice_ms} // '?', $run->{engine} // '?';
	for my $l (@lines) {
		$out .= sprintf '  %-*s', $width[0], $l->[0];
		$out .= sprintf '  %*s', $width[$_], $l->[$_] for 1 .. $#$l;
		$out .= "\n";
	}
	$out .= "  left out: $_->{name}: $_->{skipped}\n" for grep { $_->{skipped} } @$rows;
	$out .= "  problem: $_\n" for @{ $run->{problems} };
	return $out;
}

# Everything, for programs: one object per workload and kernel.
sub results_json {
	my ($results) = @_;
	my @list;
	for my $r (@$results) {
		my ($run, $rows) = @$r;
		push @list, {
			workload => $run->{workload}, kernel => $run->{kernel}, label => $run->{label},
			machine => $run->{machine}, cpus => $run->{cpus}, fio => $run->{fio}, engine => $run->{engine},
			settings => $run->{settings}, reference => reference_of($run->{workload}{target}),
			problems => $run->{problems}, candidates => $rows
		};
	}
	return JSON::PP->new->canonical->pretty->indent_length(1)->encode({ ublk_benchmark => '1', results => \@list });
}

1;
